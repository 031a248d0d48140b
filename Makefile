# make demo        fresh machine: environment, install, train, export, verify, picture, next steps
# make test        environment and every test
# make test-all    the slow ones too (long fuzzing, wheel in an empty environment, peers)
# make benchmarks  accuracy and speed, written to benchmarks/results
PYTHON ?= python3
VENV ?= .venv
BIN = $(VENV)/bin
STAMP = $(VENV)/installed

.PHONY: demo test test-all benchmarks lint clean
demo: $(STAMP)
	@rm -rf runs/demo
	$(BIN)/neuro demo --out runs/demo

test: $(STAMP) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 -m "not slow"

test-all: $(STAMP) lint
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2

benchmarks: $(STAMP)
	$(BIN)/neuro demo --out runs/picture && cp runs/picture/overview.png benchmarks/results/
	$(BIN)/python benchmarks/training_step.py
	$(BIN)/python benchmarks/speed.py
	$(BIN)/python benchmarks/replay.py
	$(BIN)/python benchmarks/digits.py
	$(BIN)/python benchmarks/digits.py --chip dynapse2
	$(BIN)/python benchmarks/digits.py --chip truenorth
	$(BIN)/python benchmarks/digits.py --chip binary-core
	$(BIN)/python benchmarks/digits.py --task digits-recurrent
	$(BIN)/python benchmarks/latent_rule.py
	$(BIN)/python benchmarks/update_readme.py

lint: $(STAMP)
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .

# torch first and pinned: norse asks for torchvision, which would otherwise replace it by the newest CUDA build.
$(STAMP): pyproject.toml constraints.txt
	$(PYTHON) -c 'import sys; sys.exit("neuro needs Python 3.11 or newer, this is " + sys.version.split()[0]) if sys.version_info < (3, 11) else None'
	@test -x $(BIN)/python || (echo "making the environment $(VENV)" && $(PYTHON) -m venv $(VENV))
	@echo "installing (the first time takes a few minutes)"
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt torch
	$(BIN)/python -m pip install --quiet --disable-pip-version-check -c constraints.txt -e '.[dev]'
	@touch $(STAMP)

clean:
	rm -rf $(VENV) runs dist build .pytest_cache .hypothesis .ruff_cache
