# The backend in a container, with two targets that differ only in the build of torch:
#   docker build --target cpu  -t dynamite-backend:cpu  .
#   docker build --target cuda -t dynamite-backend:cuda .

# A tag can move to another image. Give a digest that you have checked to hold on to one:
#   docker build --build-arg BASE=python:3.11-slim@sha256:… …
ARG BASE=python:3.11-slim
FROM ${BASE} AS base
ENV PYTHONUNBUFFERED=1 \
    PYTHONDONTWRITEBYTECODE=1 \
    PIP_NO_CACHE_DIR=1 \
    PIP_DISABLE_PIP_VERSION_CHECK=1 \
    DYNAMITE_HOST=0.0.0.0 \
    DYNAMITE_PORT=9090 \
    DYNAMITE_STATE_DIR=/state
RUN groupadd --gid 10001 dynamite \
 && useradd --uid 10001 --gid dynamite --no-create-home --home-dir /state dynamite \
 && install --directory --owner=dynamite --group=dynamite /state
WORKDIR /app
COPY pyproject.toml constraints.txt requirements.lock requirements-cuda.lock README.md LICENSE ./
COPY dynamite dynamite
COPY training training
COPY backend backend
VOLUME /state
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9090/health', timeout=2)"]
CMD ["dynamite", "serve"]

# What is installed has the hashes of requirements.lock, whoever serves it; nothing else is asked for.
# PyPI's Linux wheels of torch include all of CUDA. This target takes PyTorch's own CPU builds by their
# version: their hashes are not known here, and the tests of this project do not cover them.
FROM base AS cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --no-deps --index-url "$TORCH_INDEX" -c constraints.txt torch torchvision \
 && pip install --no-deps --require-hashes -r requirements.lock \
 && pip install --no-deps --no-build-isolation .
USER dynamite

FROM base AS cuda
RUN pip install --no-deps --require-hashes -r requirements.lock -r requirements-cuda.lock \
 && pip install --no-deps --no-build-isolation .
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER dynamite
