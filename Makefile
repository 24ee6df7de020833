# Two commands for a fresh machine with Python 3.11 or newer and make:
#   make demo   sets everything up and runs the main job on the embedded provider
#   make test   sets everything up and passes the tests

PYTHON ?= python3
VENV ?= .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
PYTEST := $(BIN)/python -m pytest

.DEFAULT_GOAL := help
.PHONY: help demo engines test test-slow test-engine test-network test-aurora lint types bench fuzz clean

help: ## list the targets
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 22

demo: $(VENV)/.installed ## set up, then every family of data at full size from the embedded provider
	$(BIN)/aurora-prep demo

engines: $(VENV)/.installed ## install Prism and Flink (Go, Java, Maven needed), then the demo recipe on Flink
	$(BIN)/python -m aurora_prep.pipelines.engines install
	$(BIN)/python -m aurora_prep.pipelines.engines demo

test: $(VENV)/.dev ## set up, then the tests that every change must pass
	$(PYTEST) --numprocesses auto --maxprocesses 4 --dist loadfile

fuzz: $(VENV)/.dev ## thousands of mutated recipes, archives and manifests, about an hour
	AURORA_PREP_FUZZ=20000 $(PYTEST) tests/fuzz

test-slow: $(VENV)/.dev ## full-size tests of a minute or more
	$(PYTEST) -m slow

test-aurora: $(VENV)/.extras ## tests beside the released model's package (some 6 GB)
	$(PYTEST) -m aurora

test-engine: $(VENV)/.dataflow ## tests on two processes, Prism and Flink; installs what it finds the tools for
	$(PYTEST) -m engine

test-network: $(VENV)/.dev ## tests that talk to real providers with your own account
	$(PYTEST) -m network

lint: $(VENV)/.dev ## ruff, formatting, spelling
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/codespell

types: $(VENV)/.dev ## mypy, strict
	$(BIN)/mypy -p aurora_prep

bench: $(VENV)/.dev ## the tables of benchmarks/README.md
	$(BIN)/python benchmarks/pipeline.py

clean: ## remove what the targets above made
	rm -rf $(VENV) build dist *.egg-info .pytest_cache .mypy_cache .ruff_cache .hypothesis

$(VENV)/.created:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "aurora-prep needs Python 3.11 or newer; found: $$($(PYTHON) --version);" \
		       "try: make PYTHON=python3.12 $(MAKECMDGOALS)" >&2; exit 2; }
	$(PYTHON) -m venv $(VENV)
	@touch $@

$(VENV)/.installed: $(VENV)/.created pyproject.toml setup.py
	@echo "installing into $(VENV): about two minutes the first time"
	$(PIP) install --editable .
	@touch $@

$(VENV)/.dev: $(VENV)/.installed
	$(PIP) install --editable '.[dev]'
	@touch $@

$(VENV)/.dataflow: $(VENV)/.dev
	$(PIP) install --editable '.[dev,dataflow]'
	@touch $@

$(VENV)/.extras: $(VENV)/.dev
	$(PIP) install --editable '.[dev,aurora,mir]'
	@touch $@
