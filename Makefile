# All that a newcomer types. `make demo` and `make test` set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: help setup demo test test-fast lint format manifests docs ci clean

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## make .venv with lamflow and everything to test it

$(STAMP): pyproject.toml scripts/setup.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh
	@touch $@

demo: $(STAMP)  ## pretrain a model on three public DFT sets and write a report (about 10 minutes)
	$(BIN)/lamflow submit workflows/pretrain.yaml

test: $(STAMP)  ## all tests, slow ones too
	$(BIN)/python -m pytest

test-fast: $(STAMP)  ## tests that take milliseconds
	$(BIN)/python -m pytest -m "not slow"

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## put the code into ruff's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

ci: lint test  ## what CI runs

clean:  ## remove the environment and caches; runs stay
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
