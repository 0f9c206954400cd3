#!/bin/bash
# Builds the image: validate, scan, build, test. With Docker where it runs, else through sealane.
set -euo pipefail

# Configuration
SCRIPT_DIR="$(cd "$(dirname "${BASH_SOURCE[0]}")" && pwd)"
PROJECT_ROOT="$(dirname "$SCRIPT_DIR")"
cd "$PROJECT_ROOT"
BUILD_ID="${BUILD_ID:-$(git log -1 --format=%cd --date=format:%Y%m%d-%H%M%S 2>/dev/null || date +%Y%m%d-%H%M%S)}"
IMAGE_NAME="${IMAGE_NAME:-sutazai}"
IMAGE_TAG="${IMAGE_TAG:-latest}"
OUT="${OUT:-$PROJECT_ROOT/out}"  # where sealane leaves the image, one file per tag
RUN_ARGS="${RUN_ARGS:-}"  # more arguments of `docker run`: the network of the databases, their addresses

log() {
    echo "[$(date +'%Y-%m-%d %H:%M:%S')] $*" >&2
}

with_docker() {
    command -v docker >/dev/null 2>&1 && docker info >/dev/null 2>&1
}

# Pre-build validation
validate_environment() {
    log "Validating build environment..."
    with_docker || command -v sealane >/dev/null 2>&1 || { log "Docker or sealane is required"; exit 1; }
    command -v python3 >/dev/null 2>&1 || { log "Python 3 is required but not installed"; exit 1; }
    [[ -f Dockerfile ]] || { log "Dockerfile not found"; exit 1; }
    [[ -f requirements.txt ]] || { log "requirements.txt not found"; exit 1; }
    log "Environment validation passed"
}

# Security scanning
run_security_scan() {
    log "Running security scans..."
    if command -v trufflehog >/dev/null 2>&1; then
        trufflehog filesystem "$PROJECT_ROOT" --no-update
    fi
    if command -v safety >/dev/null 2>&1; then
        safety check -r requirements.txt
    fi
    if ! with_docker; then
        sealane call --source . scan assert
    fi
    log "Security scans completed"
}

# Build the image, under both tags
build_image() {
    log "Building image: $IMAGE_NAME:$IMAGE_TAG"
    if with_docker; then
        docker build \
            --build-arg BUILD_ID="$BUILD_ID" \
            --build-arg BUILD_DATE="$(git log -1 --format=%cI 2>/dev/null || date -u +'%Y-%m-%dT%H:%M:%SZ')" \
            --build-arg VCS_REF="$(git rev-parse HEAD 2>/dev/null || echo 'unknown')" \
            --tag "$IMAGE_NAME:$IMAGE_TAG" \
            --tag "$IMAGE_NAME:$BUILD_ID" \
            .
    else
        sealane call --source . build tarball -o "$OUT/${IMAGE_NAME//\//_}-$IMAGE_TAG.tar"
        cp "$OUT/${IMAGE_NAME//\//_}-$IMAGE_TAG.tar" "$OUT/${IMAGE_NAME//\//_}-$BUILD_ID.tar"
    fi
    log "Image built successfully"
}

# Start the image and wait until it is healthy
test_image() {
    log "Testing image..."
    if with_docker; then
        test_with_docker
    else
        sealane call --source . build test
    fi
    log "Image testing completed"
}

test_with_docker() {
    local container port
    # shellcheck disable=SC2086  # they are several words
    container=$(docker run -d -p 0:8000 $RUN_ARGS "$IMAGE_NAME:$IMAGE_TAG")
    # shellcheck disable=SC2064  # the container is this one
    trap "docker stop '$container' >/dev/null" EXIT
    port=$(docker port "$container" 8000/tcp | head -n 1 | sed 's/.*://')
    if curl -f --retry 30 --retry-delay 1 --retry-all-errors "http://localhost:$port/health" >/dev/null 2>&1; then
        log "Health check passed"
    else
        log "Health check failed"
        docker logs "$container"
        exit 1
    fi
}

main() {
    log "Starting build process (Build ID: $BUILD_ID)"
    validate_environment
    run_security_scan
    build_image
    test_image
    log "Build completed successfully"
    log "Image: $IMAGE_NAME:$IMAGE_TAG"
    log "Build ID: $BUILD_ID"
}

main "$@"
