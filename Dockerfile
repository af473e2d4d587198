# The control plane in an image. It needs no privilege, no shell and, without `--state`,
# nothing to write to:
#
#     docker build -t penstock .
#     docker run --read-only --cap-drop ALL -v "$PWD/config:/config:ro" -p 18000:18000 penstock
#
# With `-v penstock:/state` and `serve /config --state /state` what was good last survives it.

# The version that the tests run with.
ARG PYTHON=3.11

FROM python:${PYTHON}-slim AS build
ENV PIP_DISABLE_PIP_VERSION_CHECK=1 PIP_NO_CACHE_DIR=1
RUN python -m venv /penstock
WORKDIR /source
# The dependencies first: their layer stays as long as the lock file does.
COPY requirements.lock .
RUN /penstock/bin/pip install --require-hashes --requirement requirements.lock
COPY pyproject.toml README.md ./
COPY penstock penstock
COPY translator translator
COPY xds xds
RUN /penstock/bin/pip install --no-deps . \
    # Compiled here, since nothing can be written there.
    && /penstock/bin/python -m compileall -q /penstock

FROM python:${PYTHON}-slim
ENV PATH=/penstock/bin:$PATH PYTHONUNBUFFERED=1 PYTHONDONTWRITEBYTECODE=1
COPY --from=build /penstock /penstock
# For `--state /state`: a volume that is mounted here belongs to the user below.
RUN mkdir --mode=700 /state && chown 65532:65532 /state
# A number, so that Kubernetes can see that it is not root.
USER 65532:65532
WORKDIR /
# ADS, and status with metrics.
EXPOSE 18000 18001
HEALTHCHECK --interval=5s --timeout=3s --start-period=20s --retries=3 \
    CMD ["python", "-c", "from urllib.request import urlopen; urlopen('http://127.0.0.1:18001/readyz', timeout=2)"]
ENTRYPOINT ["penstock"]
CMD ["serve", "/config", "--ads", "0.0.0.0:18000", "--admin", "0.0.0.0:18001"]
