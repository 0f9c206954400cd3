#!/bin/bash
# Quality gate validation: the report of a run by coverage, vulnerabilities and response, then every gate by sealane.
# Usage: scripts/quality-gate.sh [FOLDER]     the folder that `sealane call pipeline` wrote (default: out)
set -euo pipefail

PROJECT_ROOT="$(cd "$(dirname "${BASH_SOURCE[0]}")/.." && pwd)"
REPORT="${1:-$PROJECT_ROOT/out}"

for tool in jq sealane; do
    command -v "$tool" >/dev/null 2>&1 || { echo "$tool is required but not installed"; exit 1; }
done
for file in run.json security-report.json; do
    [[ -f "$REPORT/$file" ]] || { echo "There is no $REPORT/$file: run \`sealane call pipeline\` first"; exit 1; }
done

holds() {
    jq --null-input --exit-status "$1" >/dev/null
}

# Coverage check
COVERAGE=$(jq '[.stages[].figures.coverage // empty] | first' "$REPORT/run.json")
if [[ "$COVERAGE" == null ]]; then
    echo "Coverage was not measured"
    exit 1
fi
if holds "$COVERAGE < 80"; then
    echo "Coverage $COVERAGE% is below threshold (80%)"
    exit 1
fi

# Security vulnerability check
HIGH_VULNS=$(jq '[.vulnerabilities[] | select(.severity == "HIGH")] | length' "$REPORT/security-report.json")
if [[ "$HIGH_VULNS" -gt 0 ]]; then
    echo "Found $HIGH_VULNS high severity vulnerabilities"
    exit 1
fi

# Performance check, where performance was measured
if [[ -f "$REPORT/performance-report.json" ]]; then
    RESPONSE_TIME=$(jq '.stats.avg_response_time' "$REPORT/performance-report.json")
    if holds "$RESPONSE_TIME > 500"; then
        echo "Average response time ${RESPONSE_TIME}ms exceeds threshold (500ms)"
        exit 1
    fi
fi

# The other gates, by what pyproject.toml says
sealane gates "$REPORT" --source "$PROJECT_ROOT"
echo "All quality gates passed"
