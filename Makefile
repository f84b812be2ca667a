# `make serve` runs the backend, `make test` the tests; `make help` lists the rest.
SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
STAMP := $(VENV)/.installed
# Small networks are slower on many threads, most of all beside other processes.
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help install serve demo test check lint fast test-e2e test-training test-load bench docs clean

help: ## list the targets
	@grep -E '^[a-z0-9-]+:.*##' Makefile | sed -E 's/:.*## /\t/' | expand -t 18

IS_NEW_ENOUGH := 'import sys; sys.exit(sys.version_info < (3, 11))'
HINT := 'Python 3.11 or newer with venv is needed: name one, as in `make PYTHON=python3.12 install`'

# pip comes last into an environment: without it, making that one was interrupted.
# One pip command: two could swap torch for another build (see docs/installation.md).
$(STAMP): pyproject.toml constraints.txt
	@test -x $(BIN)/pip || { $(PYTHON) -c $(IS_NEW_ENOUGH) && $(PYTHON) -m venv --clear $(VENV); } || \
	  { echo $(HINT) >&2; exit 1; }
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

install: $(STAMP) ## make .venv with everything in it

serve: $(STAMP) ## the backend on port 9090, with its queue and two workers
	$(BIN)/dynamite serve

demo: $(STAMP) ## Label Studio with a sample project, attached to the backend
	$(BIN)/dynamite demo

test: $(STAMP) ## every test but the slow suites below
	$(PYTEST) -m "not e2e and not training and not load"

fast: $(STAMP)
	$(PYTEST) -q -m "not slow and not e2e and not training and not load"

check: lint fast ## lint, types, import rules, fast tests

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test-e2e: $(STAMP) ## the real Label Studio in a real browser
	$(PYTEST) -m e2e

test-training: $(STAMP) ## real trainings: overfitting, resuming, retraining
	$(PYTEST) -m training

test-load: $(STAMP) ## many clicks, many webhooks
	$(PYTEST) -m load

bench: $(STAMP) ## the benchmarks; prints ratios (python -m benchmarks --write keeps them)
	$(BIN)/python -m benchmarks

# The pages keep their folders, so that their links hold on GitHub and on the site.
PAGES := $(wildcard *.md docs/*.md docs/images/* Dockerfile deploy/* dynamite/weights/*.md backend/demo_images/*.md training/base_set/*.md)

docs: $(STAMP) ## the documentation with the API reference, in build/docs; a broken link fails
	rm -rf build/pages build/docs
	mkdir -p build/pages
	tar -cf - $(PAGES) | tar -xf - -C build/pages
	$(BIN)/zensical build --clean --strict

clean: ## remove .venv, the demo with its state, and caches; .state (accepted annotations, models) stays
	rm -rf $(VENV) .demo build .cache .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
