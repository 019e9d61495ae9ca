# `make` lists the targets. Needs Python 3.11 to 3.13, git and make; everything else comes into .venv.
PYTHON ?= python3
BIN := .venv/bin
unexport PYTHONDONTWRITEBYTECODE

.DEFAULT_GOAL := help
.PHONY: help setup demo test lint unit lock clean

help:  ## List the targets
	@awk -F ':.*## ' '/^[a-z-]+:.*## / {printf "  make %-8s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

setup:  ## Make .venv from requirements.lock (once; then a matter of a second)
	@$(PYTHON) tools/setup_environment.py

demo: setup  ## The whole job, offline: drawn data, four runs, comparison, one detector in staging
	@$(BIN)/cv-yolo grid --config configs/demo.yaml

test: setup  ## Everything that must hold: style, types, import contracts, tests, coverage
	@$(BIN)/python tools/check.py

lint: setup  ## Style, types and import contracts only
	@$(BIN)/python tools/check.py --only style types contracts

unit: setup  ## The fast tests only
	@$(BIN)/python -m pytest -q tests/unit tests/golden -m "not slow"

lock: setup  ## Resolve requirements.lock anew from pyproject.toml
	@$(BIN)/python -m uv pip compile --quiet --universal --python-version 3.11 --extra dev --no-header --no-annotate \
	  pyproject.toml --output-file requirements.lock

clean:  ## Remove what was made: records, demo data, caches (not .venv, not data/tiny_coco)
	rm -rf .cv-yolo data/demo .pytest_cache .mypy_cache .ruff_cache .hypothesis .coverage .coverage.*
