# `make demo` and `make test` do everything on a fresh machine; nothing is installed again when nothing changed.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
JOBS ?= $(shell nproc 2>/dev/null || echo 2)
SOURCES := $(shell find api models pruning search studies -type f -not -name '*.pyc')
PACKAGES := primesvt

.PHONY: demo test lint docs clean

demo: $(VENV)/.installed
	$(BIN)/primesvt demo -o demo-result

test: $(VENV)/.installed
	@# A process of one thread for each core: more threads slow each other down. Each goes through files that lie side by
	@# side, whose tests share what they prepare, and takes tests of another only at the end.
	OMP_NUM_THREADS=1 NUMBA_NUM_THREADS=1 $(BIN)/python -m pytest -q -n $(JOBS) --dist worksteal

lint: $(VENV)/.installed
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	@# Installed names, from another folder: here a bare `import models` would find a second copy of every class.
	cd $(VENV) && bin/mypy --config-file ../pyproject.toml $(addprefix -p ,$(PACKAGES))
	@# Nothing else runs the benchmarks when what they call is renamed.
	cd $(VENV) && MYPYPATH=../benchmarks bin/mypy --config-file ../pyproject.toml ../benchmarks/*.py

# Third-party packages: once, and again when pyproject.toml changes.
$(VENV)/.dependencies: pyproject.toml
	test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'setuptools>=77' wheel
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[dev]'
	touch $@

# PrimeSVT itself: a normal install, so that what is tested is what a user gets.
$(VENV)/.installed: $(VENV)/.dependencies README.md LICENSE $(SOURCES)
	rm -rf build
	$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --force-reinstall .
	touch $@

# The site, from docs/ and the docstrings of the installed package; a broken link or name is an error.
docs: $(VENV)/.installed
	$(BIN)/python -m pip install --quiet --disable-pip-version-check '.[docs]'
	$(BIN)/python -m mkdocs build --strict

clean:
	rm -rf $(VENV) build primesvt.egg-info demo-result site
