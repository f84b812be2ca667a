# The backend in a container, with two targets that differ only in the build of torch:
#   docker build --target cpu  -t dynamite-backend:cpu  .
#   docker build --target cuda -t dynamite-backend:cuda .

FROM python:3.11-slim AS base
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
COPY pyproject.toml constraints.txt README.md LICENSE ./
COPY dynamite dynamite
COPY training training
COPY backend backend
VOLUME /state
EXPOSE 9090
HEALTHCHECK --interval=10s --timeout=3s --start-period=120s --retries=3 \
  CMD ["python", "-c", "import urllib.request; urllib.request.urlopen('http://127.0.0.1:9090/health', timeout=2)"]
CMD ["dynamite", "serve"]

# Use PyTorch's own index of CPU builds, because PyPI's Linux wheels include all of CUDA. The tests of
# this project do not cover it. Use one pip command: a second one could replace torch by another build.
FROM base AS cpu
ARG TORCH_INDEX=https://download.pytorch.org/whl/cpu
RUN pip install --extra-index-url "$TORCH_INDEX" -c constraints.txt .
USER dynamite

FROM base AS cuda
RUN pip install -c constraints.txt .
ENV NVIDIA_VISIBLE_DEVICES=all \
    NVIDIA_DRIVER_CAPABILITIES=compute,utility
USER dynamite
