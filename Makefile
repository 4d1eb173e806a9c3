# `make diagnose` needs python3 and its venv module; `make test` installs the rest itself.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: diagnose test lint format packages clean

diagnose: $(VENV)/installed
	@$(BIN)/stackdoctor diagnose $(or $(ARGS),--demo)

$(VENV)/installed: setup.cfg pyproject.toml
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --editable .
	@touch $@

$(VENV)/installed-test: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[test]'
	@touch $@

# As root on Debian, what bindep.txt lists; elsewhere the tests that need it say so and are skipped.
packages:
	@if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then sh tests/install-packages bindep.txt; fi

test: packages $(VENV)/installed-test
	$(BIN)/python -m pytest -ra $(ARGS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache
