PYTHON ?= python3
BIN := .venv/bin
GPUS ?= 1
INDEX ?= reports/scans/synthetic
# Stages call python and dvc by name, as in an activated environment.
RUN := PATH="$(CURDIR)/$(BIN):$$PATH"

.PHONY: help setup repro search who readme docs train-cells check-data check-gpu test test-all lint format bench agreement search-quality lock clean

help:  ## Show this list
	@grep -E '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

setup: .venv/ready  ## Create the environment in .venv from the exact pins

.venv/ready: requirements.lock pyproject.toml
	$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Python 3.11 or newer is needed, e.g. make PYTHON=python3.12 setup")'
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(BIN)/pip install --quiet --disable-pip-version-check --no-compile --requirement requirements.lock
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --editable .
	touch $@

repro: setup  ## Run the pipeline of the profile in params.yaml
	$(RUN) dvc repro

# A queue with a worker for each GPU: its number, or its entry in CUDA_VISIBLE_DEVICES if that is set.
# The longest runs come first (sort -r). DVC locks the repository while it reads and writes, but not
# while a stage runs. A cell that fails (dvc ends with 255, at which xargs would stop) does not keep
# the others from running.
train-cells: setup  ## The same, with the training stages side by side: make train-cells GPUS=8
	$(RUN) dvc repro trunk-writers trunk-scripts
	$(RUN) dvc stage list --name-only | grep -E '^((train|untrained)@|variant$$)' | sort -r | \
		$(RUN) xargs -P $(GPUS) -n 1 --process-slot-var=SLOT \
		sh -c 'IFS=,; set -- $${CUDA_VISIBLE_DEVICES-$$SLOT}; shift $$(($$# ? SLOT % $$# : 0)); \
			CUDA_VISIBLE_DEVICES=$$1 dvc --wait-for-lock repro --single-item "$$0" || exit 1'
	$(RUN) dvc repro

search: setup  ## Which pages are by the same hand: make search PAGES=folder, or nothing for synthetic ones
	@$(RUN) python -m pipeline.search $(if $(NAME),"$(NAME)") $(if $(PAGES),--pages "$(PAGES)")

who: setup  ## Whose hand is this: make who PAGE=image INDEX=reports/scans/name
	@$(RUN) python -m pipeline.tools.who "$(PAGE)" "$(INDEX)"

readme: setup  ## Write the tables that README.md shows, from the committed reports
	$(RUN) python -m pipeline.tools.readme

docs: setup  ## Write the documentation as a site to read or to serve, into site/
	NO_MKDOCS_2_WARNING=1 $(RUN) mkdocs build --quiet
	@echo "site/index.html"

check-data: setup  ## List the paper's data: what is there, what is missing, and what to do
	@$(RUN) python -m pipeline.tools.check_data

check-gpu: setup  ## Test on this machine's GPU what training needs
	$(RUN) python -m tests.check_gpu

TESTS := pytest --numprocesses logical --maxprocesses 4 --dist loadfile --no-loadscope-reorder

test: lint  ## Check and test, without the slowest rehearsals
	$(RUN) $(TESTS) -m "not slow"

test-all: lint  ## Check and test everything
	$(RUN) $(TESTS)

lint: setup  ## Style, formatting and types
	$(RUN) ruff check
	$(RUN) ruff format --check
	$(RUN) mypy

format: setup  ## Format the code
	$(RUN) ruff format
	$(RUN) ruff check --fix

# A table replaces the old one when it is complete.
bench: setup  ## Measure the layer, the data path, the metrics and the encodings, into reports/benchmarks/
	@mkdir -p reports/benchmarks
	@set -e; for name in pooling data metrics encoding; do \
		$(RUN) python -m tests.benchmarks.bench_$$name >reports/benchmarks/.$$name.md; \
		mv reports/benchmarks/.$$name.md reports/benchmarks/$$name.md; \
		cat reports/benchmarks/$$name.md; done

agreement: setup  ## Compare edge filter and shrinking on real pages, BINARY=folder GREY=folder
	@mkdir -p reports/benchmarks
	$(RUN) python -m tests.benchmarks.real_pages $(BINARY) $(GREY) >reports/benchmarks/.real_pages.md
	mv reports/benchmarks/.real_pages.md reports/benchmarks/real_pages.md

search-quality: setup  ## Measure a search of pages with known hands, REPORT=folder LABELS=csv
	@mkdir -p reports/benchmarks
	$(RUN) python -m tests.benchmarks.bench_search "$(REPORT)" "$(LABELS)" >reports/benchmarks/.search.md
	mv reports/benchmarks/.search.md reports/benchmarks/search.md

lock: setup  ## Install the dependencies of pyproject.toml and write them to requirements.lock
	$(BIN)/pip install --quiet --editable '.[pipeline,dev,docs,test-integrations]'
	$(BIN)/pip freeze --exclude-editable | sed -E 's/^((nvidia|cuda|triton)[^ ]*)$$/\1 ; sys_platform == "linux" and platform_machine == "x86_64"/' > requirements.lock

clean:  ## Remove the environment and what the pipeline made, except input/ and downloads/
	rm -rf .venv site
	find data -mindepth 2 -maxdepth 2 ! -name input ! -name downloads \
		! -path "data/benchmark/*" -exec rm -rf {} +
