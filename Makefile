# All that a newcomer types. `make demo` and `make test` set up what they need.
PYTHON ?= python3
VENV   := .venv
BIN    := $(VENV)/bin
STAMP  := $(VENV)/.ready

.PHONY: help setup demo demo-pipeline test test-fast test-cloud lint format manifests docs images cluster-up ci clean

help:  ## show this
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 14

setup: $(STAMP)  ## make .venv with lamflow and everything to test it

$(STAMP): pyproject.toml scripts/setup.sh
	PYTHON="$(PYTHON)" VENV="$(VENV)" sh scripts/setup.sh
	@touch $@

demo: $(STAMP)  ## pretrain a model on three public DFT sets and write a report (about 10 minutes)
	$(BIN)/lamflow submit workflows/pretrain.yaml

demo-pipeline: $(STAMP)  ## the whole chain: real data in, a small fast model and one report out
	$(BIN)/lamflow submit workflows/pipeline.yaml

test: $(STAMP)  ## all tests, slow ones too
	$(BIN)/python -m pytest --numprocesses 2 --dist loadfile

test-fast: $(STAMP)  ## tests that take milliseconds
	$(BIN)/python -m pytest -m "not slow"

test-cloud: $(STAMP)  ## steps in containers as restricted as pods (podman; 30 to 60 minutes)
	scripts/images.sh base label-espresso
	LAMFLOW_TEST_IMAGE=localhost/lamflow:0.1.0 LAMFLOW_TEST_ESPRESSO=localhost/lamflow-espresso:0.1.0 \
		$(BIN)/python -m pytest tests/cloud

lint: $(STAMP)  ## ruff and mypy
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

format: $(STAMP)  ## put the code into ruff's format
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

manifests: $(STAMP)  ## write the golden Argo manifests anew
	LAMFLOW_UPDATE_MANIFESTS=1 $(BIN)/python -m pytest tests/unit/engine/test_manifest.py -k golden

docs: $(STAMP)  ## the reference pages and the site/ folder
	$(BIN)/python -m pip install --quiet --editable ".[docs]"
	$(BIN)/python scripts/make_docs.py
	$(BIN)/mkdocs build

images:  ## all container images (podman or docker)
	scripts/images.sh

cluster-up:  ## a cluster for trying things: kind or k3d, with Argo and S3 in it
	scripts/cluster-up.sh

ci: lint test  ## what CI runs

clean:  ## remove the environment and caches; runs stay
	rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache
