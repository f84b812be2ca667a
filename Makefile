# `make serve` runs the backend, `make test` runs the tests, `make help` lists all targets.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
TOOLS := $(VENV)/.tools-installed
# Small networks are slower on many threads, especially next to other processes.
# Without bytecode, all modules were compiled anew in each of the many processes that tests start.
PYTEST := PYTHONDONTWRITEBYTECODE= OMP_NUM_THREADS=1 $(BIN)/python -m pytest
# Three processes keep two cores busy, as tests wait. Each has its own test files and queue server.
PARALLEL := -n 3 --dist loadfile

.DEFAULT_GOAL := help
.PHONY: help install tools serve demo test check lint fast test-e2e test-training test-load test-security test-image bench load soak docs lock audit clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

IS_NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
DOWNLOADS := 'Installing into $(VENV), once: a few minutes. PyPI has torch for Linux with CUDA, about 4 GB.'
PIP := $(BIN)/python -m pip install --disable-pip-version-check -c constraints.txt
HINT := 'Python 3.11 or newer with venv is needed: name one, as in `make PYTHON=python3.12 install`'

# Each stamp has one pip command with all it needs, so that neither undoes what the other did: pip
# with other requirements could replace torch by another build (docs/installation.md).
$(STAMP): pyproject.toml constraints.txt | $(BIN)/pip
	@echo $(DOWNLOADS)
	$(PIP) -e .
	@touch $@

$(TOOLS): pyproject.toml constraints.txt | $(BIN)/pip
	@echo $(DOWNLOADS)
	$(PIP) -e '.[dev]'
	@touch $(STAMP) $@

# venv installs pip last: without pip, creating the environment was interrupted.
$(BIN)/pip:
	@test -x $(BIN)/pip || { $(PYTHON) -c $(IS_NEW_ENOUGH) && $(PYTHON) -m venv --clear $(VENV); } || \
	  { echo $(HINT) >&2; exit 1; }

install: $(STAMP) ## create .venv with what runs the backend

tools: $(TOOLS) ## add what tests, trains from scratch and checks

serve: $(STAMP) ## run the backend with its queue and two workers (PORT=9091)
	$(BIN)/dynamite serve $(if $(PORT),--port $(PORT))

demo: $(STAMP) ## run Label Studio with photos and the backend (PORT=, LABEL_STUDIO_PORT=, LABEL_STUDIO=program)
	$(BIN)/dynamite demo $(if $(PORT),--port $(PORT)) \
	  $(if $(LABEL_STUDIO_PORT),--label-studio-port $(LABEL_STUDIO_PORT)) \
	  $(if $(LABEL_STUDIO),--label-studio '$(LABEL_STUDIO)')

test: $(TOOLS) ## run all tests but the suites below
	$(PYTEST) $(PARALLEL) -m "not e2e and not training and not load and not security and not image"

fast: $(TOOLS)
	$(PYTEST) $(PARALLEL) -q -m "not slow and not e2e and not training and not load and not image"

check: lint fast ## check style, types and import rules, and run the fast tests

lint: $(TOOLS)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/hadolint Dockerfile
	$(BIN)/mypy
	$(BIN)/lint-imports

# LABEL_STUDIO=1.21.0 tests with that release; PYTEST_ADDOPTS='-k outputs' chooses tests.
test-e2e: $(TOOLS) ## test with the real Label Studio in a real browser
	$(PYTEST) -m e2e

test-training: $(TOOLS) ## test real trainings: overfitting, resuming, retraining
	$(PYTEST) -m training

test-load: $(TOOLS) ## test with many clicks and many webhooks
	$(PYTEST) -m load

test-security: $(TOOLS) ## attack the backend: hostile input, hostile neighbours, sleeps
	$(PYTEST) $(PARALLEL) -m security

# As root on Debian, with debootstrap: it changes the root folder and makes file systems.
test-image: $(TOOLS) ## run the Dockerfile's steps in a bare Debian, and start what they make, read-only
	$(PYTEST) -m image

bench: $(TOOLS) ## run the benchmarks (python -m benchmarks --write keeps the results)
	$(BIN)/python -m benchmarks

load: $(TOOLS) ## time clicks of 1 to 16 annotators on one and two backends, nine minutes (ARGS=--help)
	$(BIN)/python -m benchmarks.load $(ARGS)

soak: $(TOOLS) ## look for growth over 10,000 clicks of Label Studio, then of CVAT (ARGS=--help)
	$(BIN)/python -m benchmarks.soak --tool label-studio $(ARGS)
	$(BIN)/python -m benchmarks.soak --tool cvat $(ARGS)

# The pages keep their folders, so that their links hold on GitHub and on the site.
PAGES := $(wildcard *.md docs/*.md docs/images/* Dockerfile deploy/*.* deploy/*/*.* deploy/helm/*/*.* dynamite/weights/*.md backend/demo_images/*.md training/base_set/*.md)

docs: $(TOOLS) ## the documentation with the API reference, in build/docs; a broken link fails
	rm -rf build/pages build/docs
	mkdir -p build/pages
	tar -cf - $(PAGES) | tar -xf - -C build/pages
	$(BIN)/zensical build --clean --strict

# The tools that look after versions have an environment of their own: they must not hold others back.
RELEASE := build/release/bin

$(RELEASE)/uv:
	$(PYTHON) -m venv --clear build/release
	$(RELEASE)/python -m pip install --quiet --disable-pip-version-check uv pip-audit

# One lock has PyPI's torch with its CUDA libraries, one PyTorch's own build for CPUs, one all the rest.
TORCH_INDEX := https://download.pytorch.org/whl/cpu
lock: $(RELEASE)/uv ## write the locks that images are built from, after a change of versions
	$(RELEASE)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	  -c constraints.txt -o build/all.lock pyproject.toml
	awk '/^[a-z]/ {gpu = /^(torch=|triton|nvidia|cuda)/} !gpu' build/all.lock > requirements.lock
	awk '/^[a-z]/ {gpu = /^(torch=|triton|nvidia|cuda)/} gpu' build/all.lock > requirements-cuda.lock
	echo torch | $(RELEASE)/uv pip compile --quiet --no-deps --python-version 3.11 --python-platform linux \
	  --generate-hashes --no-annotate --no-header --index-url $(TORCH_INDEX) -c constraints.txt - > requirements-cpu.lock

audit: $(RELEASE)/uv ## look for known vulnerabilities in what is shipped (asks PyPI)
	$(RELEASE)/pip-audit --strict --disable-pip --require-hashes -r requirements.lock -r requirements-cuda.lock

clean: ## remove .venv, the demo and caches; keep .state (accepted annotations, models)
	rm -rf $(VENV) .demo build .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
