# `make` lists the targets. Requires Python 3.11 to 3.13, git and make; everything else is installed into .venv.
PYTHON ?= python3
BIN := .venv/bin
unexport PYTHONDONTWRITEBYTECODE
# The last commit before MinIO was archived; no image or release contains it.
MINIO := github.com/minio/minio@v0.0.0-20260212201848-7aac2a2c5b7c

.DEFAULT_GOAL := help
.PHONY: help setup demo test test-all test-integration lint unit minio lock clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-16s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Install everything into .venv from requirements.lock (once; then under a second)
	@$(PYTHON) tools/setup_environment.py

demo: setup  ## Run the whole workflow offline: generated data, four runs, comparison, one detector in staging
	@$(BIN)/cv-yolo grid --config configs/demo.yaml

test: setup  ## Run all checks that need no server: style, types, import contracts, tests, coverage
	@$(BIN)/python tools/check.py

test-all: setup  ## Run all checks: also browsers, other Python versions, and real servers
	@$(BIN)/python tools/check.py --all

test-integration: setup  ## Run only the tests with real servers
	@$(BIN)/python tools/check.py --only integration

lint: setup  ## Check only style, types and import contracts
	@$(BIN)/python tools/check.py --only style types contracts

unit: setup  ## Run only the fast tests
	@$(BIN)/python -m pytest -q tests/unit tests/golden -m "not slow"

minio:  ## Build MinIO for `cv-yolo up --store minio` (needs Go; minutes)
	@command -v go >/dev/null || { echo "make minio needs Go 1.24 or newer on the PATH (Debian: golang; or go.dev)" >&2; exit 2; }
	@echo "go install $(MINIO) into .cv-yolo/bin (AGPL-3.0, 150 MB) ..."
	@GOBIN="$(CURDIR)/.cv-yolo/bin" go install $(MINIO)
	@.cv-yolo/bin/minio --version | head -2

lock: setup  ## Update requirements.lock from pyproject.toml
	@$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-header --no-annotate \
	  pyproject.toml --output-file requirements.lock

clean:  ## Remove records, demo data and caches (keeps .venv and data/tiny_coco)
	-@test ! -x $(BIN)/cv-yolo || $(BIN)/cv-yolo down
	rm -rf .cv-yolo data/demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
