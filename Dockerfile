# The backend in a container, with two targets that differ only in the build of torch:
#   docker build --target cpu  -t dynamite-backend:cpu  .
#   docker build --target cuda -t dynamite-backend:cuda .
# Nothing is installed but files with the hashes of the locks, whoever serves them.

# A tag can move to another image. Give a digest that you have checked to hold on to one:
#   docker build --build-arg BASE=debian:bookworm-slim@sha256:… …
ARG BASE=debian:bookworm-slim

FROM ${BASE} AS packages
ENV PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1
RUN apt-get update \
 && apt-get install --yes --no-install-recommends 'python3=3.11.*' 'python3-venv=3.11.*' 'python3-pip=23.*' \
 && rm -rf /var/lib/apt/lists/* \
 && python3 -m venv --without-pip /opt/dynamite
WORKDIR /source
COPY requirements.lock ./
RUN pip --python /opt/dynamite/bin/python install --no-deps --require-hashes -r requirements.lock

FROM packages AS ours
COPY pyproject.toml README.md LICENSE ./
COPY dynamite dynamite
COPY training training
COPY backend backend
RUN pip --python /opt/dynamite/bin/python wheel --no-deps --no-build-isolation --wheel-dir /wheels .

# PyPI's Linux wheels of torch include all of CUDA, so that the build for CPUs is PyTorch's own.
FROM packages AS with-cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
COPY requirements-cpu.lock ./
RUN pip --python /opt/dynamite/bin/python install --no-deps --require-hashes \
      --extra-index-url "$TORCH_INDEX" -r requirements-cpu.lock
COPY --from=ours /wheels /wheels
RUN pip --python /opt/dynamite/bin/python install --no-deps --no-index /wheels/*.whl

FROM packages AS with-cuda
COPY requirements-cuda.lock ./
RUN pip --python /opt/dynamite/bin/python install --no-deps --require-hashes -r requirements-cuda.lock
COPY --from=ours /wheels /wheels
RUN pip --python /opt/dynamite/bin/python install --no-deps --no-index /wheels/*.whl

# What runs: Python without pip, no compiler, and the allocator that the launcher prefers.
FROM ${BASE} AS runtime
ENV PATH=/opt/dynamite/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin \
    PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    DYNAMITE_HOST=0.0.0.0 \
    DYNAMITE_PORT=9090 \
    DYNAMITE_STATE_DIR=/state
RUN apt-get update \
 && apt-get install --yes --no-install-recommends 'python3=3.11.*' 'libjemalloc2=5.3.*' \
 && rm -rf /var/lib/apt/lists/* \
 && groupadd --gid 10001 dynamite \
 && useradd --no-log-init --uid 10001 --gid dynamite --no-create-home --home-dir /state dynamite \
 && install --directory --owner=dynamite --group=dynamite /state
WORKDIR /state
VOLUME /state
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9090/health', timeout=2)"]
CMD ["dynamite", "serve"]

# The user is a number, because Kubernetes cannot tell whether a name is root.
FROM runtime AS cpu
COPY --from=with-cpu /opt/dynamite /opt/dynamite
USER 10001:10001

FROM runtime AS cuda
COPY --from=with-cuda /opt/dynamite /opt/dynamite
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER 10001:10001
