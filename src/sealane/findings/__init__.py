"""What tools say, in one model: findings of scanners and linters, results of tests, figures of coverage."""

from sealane.findings.model import Finding, Severity, Test, TestOutcome

__all__ = ["Finding", "Severity", "Test", "TestOutcome"]
