# Everything a contributor needs: `make setup` on a bare machine with Python 3.11, pip and make; the rest builds on it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/.ready
CORES ?= $(shell nproc 2>/dev/null || echo 2)
export PATH := $(CURDIR)/$(BIN):$(PATH)
PY := workflow tests benchmarks
SMK := Snakefile workflow/rules

.PHONY: setup demo test check unit workflow slurm slow format schema recover licences clean

setup: $(READY)

$(READY): envs/neuro2cardio.lock
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) is not there; name a Python 3.11 or later: make PYTHON=python3"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

# The main job on the embedded default: a real model, fine-tuned here.
demo: setup
	@echo "Each job tells its progress in logs/demo/. In another terminal: tail -f logs/demo/finetune/smollm2-135m/completion/*/*.log"
	snakemake --configfile demo.yaml --cores $(CORES)

# What CI runs: first what is quick to fail. The unit tests share the cores; the others start Snakemake, which does so itself.
test: setup check unit
	pytest tests/report tests/workflow tests/faults tests/slurm

# Formatting, linting, types, and which folder of the library may import which.
check: setup
	ruff format --check $(PY)
	ruff check $(PY)
	snakefmt --check $(SMK)
	mypy workflow/scripts/neuro2cardio
	PYTHONPATH=workflow/scripts lint-imports
	snakemake --lint
	snakemake --lint --configfile demo.yaml

unit: setup
	pytest tests/unit -n $(CORES)

workflow: setup
	pytest tests/workflow

slurm: setup
	pytest tests/slurm tests/faults

format: setup
	ruff format $(PY)
	ruff check --fix $(PY)
	snakefmt $(SMK)

# After Snakemake was killed: cancel the Slurm jobs it left, remove damaged results, unlock the directory.
recover:
	python workflow/scripts/recover.py

# The JSON schema with which editors complete config.yaml.
schema: setup
	$(BIN)/python workflow/scripts/schema.py

# docs/licences.md, from what the installed packages state.
licences: setup
	$(BIN)/python workflow/scripts/licences.py

clean:
	rm -rf .snakemake logs results/*
	@# Not resources/responses: what annotators answered was paid for.
	find resources -mindepth 1 -maxdepth 1 ! -name '.*' ! -name responses -exec rm -rf {} +
