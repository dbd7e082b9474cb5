# Everything a contributor needs: `make setup` on a bare machine with Python 3.11 to 3.13, pip and make; the rest builds on it.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
# The build of torch: `make setup TORCH=cuda` for NVIDIA GPUs. An environment keeps the build that it was made with.
TORCH ?= $(shell cat $(VENV)/torch 2>/dev/null || echo cpu)
TORCH_cpu := envs/torch-cpu.txt
TORCH_cuda := envs/torch-cuda.lock
TORCH_FILE := $(or $(TORCH_$(TORCH)),$(error TORCH is cpu or cuda, not $(TORCH)))
READY := $(VENV)/.ready-$(TORCH)
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --only-binary :all:
CORES ?= $(shell nproc 2>/dev/null || echo 2)
export PATH := $(CURDIR)/$(BIN):$(PATH)
PY := workflow tests benchmarks
SMK := Snakefile workflow/rules

.PHONY: calibration setup bench demo test test-gpu test-4bit check unit workflow slurm slow format schema lock recover licences clean

setup: $(READY)

# The stamp comes last, and a new environment starts from nothing: one that was cut short is never taken for whole.
# connection-pool, which Snakemake needs, exists as a source archive only.
$(READY): envs/neuro2cardio.lock $(TORCH_FILE)
	@command -v $(PYTHON) >/dev/null || { echo "$(PYTHON) was not found; name Python 3.11, 3.12 or 3.13: make setup PYTHON=python3"; exit 1; }
	rm -rf $(VENV)
	$(PYTHON) -m venv $(VENV)
	$(PIP) --require-hashes --no-binary connection-pool -r $<
	$(PIP) $(if $(filter %.lock,$(TORCH_FILE)),--require-hashes) --retries 1 -r $(TORCH_FILE)
	$(BIN)/python -m pip check
	@echo $(TORCH) > $(VENV)/torch
	@touch $@

# After a change of envs/*.in: pin again, keeping the versions that still fit. `make lock UPGRADE=--upgrade` takes new ones.
UV := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate \
	--default-index https://pypi.org/simple --custom-compile-command "make lock" $(UPGRADE)
lock: setup
	$(BIN)/python -m pip install --quiet uv
	$(UV) --override envs/no-torch.txt --output-file envs/neuro2cardio.lock envs/neuro2cardio.in
	$(UV) --constraint envs/neuro2cardio.lock --output-file envs/torch-cuda.lock envs/torch-cuda.in

# The main job on the embedded default: a real model, fine-tuned here.
demo: setup
	@echo "Some minutes on two cores. Each job's own log is in logs/demo/, the plain log of the whole run in .snakemake/log/."
	snakemake --configfile demo.yaml --cores $(CORES) --logger rich

# What CI runs: first what is quick to fail. Tests share the cores: unit tests one by one, the others file by file.
test: setup check unit test-4bit
	pytest tests/report tests/workflow tests/faults tests/slurm -n $(CORES) --dist loadfile

# Formatting, linting, types, the order of imports between the library's folders, spelling.
check: setup
	ruff format --check $(PY)
	ruff check $(PY)
	snakefmt --check $(SMK)
	mypy workflow/scripts/neuro2cardio
	PYTHONPATH=workflow/scripts lint-imports
	codespell .
	snakemake --lint
	snakemake --lint --configfile demo.yaml

# Speed and memory against lm-eval and TRL, which get an environment of their own; writes docs/performance.md.
# make bench QUESTIONS=S-MedQA_validation.json [LONG=1]
bench: setup .venv-peers/.ready
	@test -n "$(QUESTIONS)" || { echo "name S-MedQA's JSON file: make bench QUESTIONS=..."; exit 1; }
	snakemake --configfile demo.yaml --quiet progress rules host --cores 1 resources/models/smollm2-135m/model.json
	PYTHONPATH=workflow/scripts python benchmarks/performance/bench.py --questions $(QUESTIONS) $(if $(LONG),--long)

.venv-peers/.ready: benchmarks/performance/peers.txt
	$(PYTHON) -m venv .venv-peers
	.venv-peers/bin/python -m pip install --quiet --disable-pip-version-check -r $<
	@touch $@

unit: setup
	pytest tests/unit -n $(CORES)

workflow: setup
	pytest tests/workflow -n $(CORES) --dist loadfile

slurm: setup
	pytest tests/slurm tests/faults

# What only an NVIDIA GPU can show; without one, every test is skipped and says so.
test-gpu: setup
	pytest tests/gpu -rs

# Weights of 4 bits, on the CPU: bitsandbytes lies in a folder of its own, which no other test sees.
test-4bit: $(VENV)/4bit/.ready
	PYTHONPATH=$(VENV)/4bit pytest tests/unit/test_placement.py -k bits

$(VENV)/4bit/.ready: $(READY) envs/4bit.txt
	$(PIP) --require-hashes --upgrade --target $(VENV)/4bit -r envs/4bit.txt
	@touch $@

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

# Every test of the verdict on simulated grids, as docs/calibration.md: an hour or more on one core.
calibration: setup
	PYTHONPATH=workflow/scripts $(BIN)/python benchmarks/calibration.py

clean:
	rm -rf .snakemake logs results/*
	@# Not resources/responses: what annotators answered was paid for.
	find resources -mindepth 1 -maxdepth 1 ! -name '.*' ! -name responses -exec rm -rf {} +
