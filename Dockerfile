# The image of Sealane itself: `docker run` it with what a sandbox needs (`sealane doctor` says what is missing).

FROM python:3.11-slim AS builder
WORKDIR /build
COPY pyproject.toml README.md LICENSE requirements.lock dagger.json ./
COPY tools/hatch_build.py ./tools/
COPY ci ./ci
COPY src ./src
RUN python -m venv /opt/sealane \
    && /opt/sealane/bin/pip install --no-cache-dir --require-hashes -r requirements.lock \
    && /opt/sealane/bin/pip install --no-cache-dir --no-deps --no-build-isolation . \
    && /opt/sealane/bin/pip uninstall -y --quiet mypy nox pytest pytest-timeout ruff hatchling editables

FROM python:3.11-slim AS runtime
RUN apt-get update \
    && apt-get install -y --no-install-recommends \
        dumb-init debian-archive-keyring git mmdebstrap passt uidmap \
    && rm -rf /var/lib/apt/lists/* \
    && useradd --create-home --uid 1000 sealane \
    && install -d -o sealane -g sealane -m 0711 /var/lib/sealane \
    && usermod --add-subuids 100000-165535 --add-subgids 100000-165535 sealane
COPY --from=builder /opt/sealane /opt/sealane
ENV PATH=/opt/sealane/bin:$PATH \
    PYTHONUNBUFFERED=1 \
    SEALANE_HOME=/var/lib/sealane
VOLUME /var/lib/sealane
USER sealane
WORKDIR /work
HEALTHCHECK --interval=60s --timeout=20s --start-period=5s --retries=2 CMD ["sealane", "doctor", "--quick"]
ENTRYPOINT ["dumb-init", "--", "sealane"]
CMD ["--help"]
