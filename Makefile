# `make diagnose` needs python3 and its venv module; `make test` installs the rest itself.
VENV ?= .venv
PYTHON ?= python3
BIN := $(VENV)/bin

.PHONY: diagnose test test-long fuzz lint docs docs/pictures format packages bench bench-full clean

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

# Two at once, and the tests of a file together: many share the daemons that they start, and wait for them.
test: packages $(VENV)/installed-test
	$(BIN)/python -m pytest -ra -n 2 --dist loadfile -m "not long" $(ARGS)

# A broker that hangs, whose clients notice after minutes.
test-long: packages $(VENV)/installed-test
	$(BIN)/python -m pytest -ra -m long $(ARGS)

# Every reader of what others wrote (fuzz/readers.py), led by coverage; atheris has wheels for few Pythons: its own venv.
FUZZ := .venv-fuzz
MINUTES ?= 10

fuzz:
	test -x $(FUZZ)/bin/python || $(PYTHON) -m venv $(FUZZ)
	$(FUZZ)/bin/pip install --quiet --disable-pip-version-check --editable '.[fuzz]'
	$(FUZZ)/bin/python fuzz/run.py --minutes $(MINUTES) $(ARGS)

lint: $(VENV)/installed-test
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

# Measured is what users install: a wheel with its bytecode, in a virtual environment of its own, and ansible as a peer.
# The distribution's Python is theirs, too, and built with profile-guided optimisation: one without is slower by a third.
BENCH := .venv-bench
MEASURED ?= $(firstword $(wildcard /usr/bin/python3) $(PYTHON))
MEASURE := $(BENCH)/bin/python bench

$(BENCH)/installed: FORCE
	test -x $(BENCH)/bin/python || $(MEASURED) -m venv $(BENCH)
	rm -rf build
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check --force-reinstall --no-deps .
	$(BENCH)/bin/pip install --quiet --disable-pip-version-check '.[dask]' ansible-core hotsos

bench: packages $(BENCH)/installed
	$(MEASURE)/startup.py
	$(MEASURE)/node.py
	$(MEASURE)/round_trips.py
	$(MEASURE)/cloud.py 50
	$(MEASURE)/by_ansible.py 50
	$(MEASURE)/slow_node.py 50 30 10
	$(MEASURE)/logs.py 512
	$(MEASURE)/offline.py 30 300
	$(MEASURE)/foreign.py 45
	$(MEASURE)/firewall.py
	$(MEASURE)/correlate.py 25000
	$(MEASURE)/table.py

bench-full: packages $(BENCH)/installed
	$(MEASURE)/startup.py
	$(MEASURE)/node.py
	$(MEASURE)/round_trips.py
	RUNS=11 $(MEASURE)/cloud.py 50
	$(MEASURE)/cloud.py 200 1000
	RUNS=11 $(MEASURE)/by_ansible.py 50 tasks
	$(MEASURE)/by_ansible.py 200
	$(MEASURE)/slow_node.py 50 30 20
	$(MEASURE)/logs.py 1024
	$(MEASURE)/offline.py 100 1000
	$(MEASURE)/foreign.py 45
	$(MEASURE)/firewall.py
	RUNS=11 $(MEASURE)/correlate.py
	$(MEASURE)/workers.py 1000
	$(MEASURE)/table.py

# Whether requirements/constraints.txt has all that is needed, each with its hash (SECURITY.md); nothing is installed.
audit:
	$(PYTHON) -m pip install --dry-run --quiet --ignore-installed --require-hashes -r requirements/constraints.txt

requirements/constraints.txt: $(VENV)/installed FORCE
	rm -rf build/wheels && $(BIN)/pip download --quiet --dest build/wheels . && rm -f build/wheels/stackdoctor-*
	{ sed -n 's/^#/#/p' $@; for wheel in build/wheels/*; do name=$${wheel##*/}; version=$${name#*-}; \
	  echo "$${name%%-*}==$${version%%-*} --hash=sha256:$$(sha256sum "$$wheel" | cut -d' ' -f1)"; done; } > $@.new && mv $@.new $@

$(VENV)/installed-docs: $(VENV)/installed
	$(BIN)/pip install --quiet --disable-pip-version-check --editable '.[docs]'
	@touch $@

# The site, in build/site; a link or an anchor that leads nowhere is an error.
docs: $(VENV)/installed-docs
	$(BIN)/mkdocs build --strict --quiet

docs/pictures: $(VENV)/installed
	$(BIN)/python docs/pictures.py $(ARGS)

README.md: $(VENV)/installed FORCE
	$(BIN)/python docs/readme.py

docs/checks.md: $(VENV)/installed FORCE
	$(BIN)/stackdoctor checks --markdown > $@.new && mv $@.new $@

# What shells and man(1) are told of the commands, from the commands.
COMPLETE = _STACKDOCTOR_COMPLETE=$(1)_source $(BIN)/stackdoctor

share: $(VENV)/installed FORCE
	$(call COMPLETE,bash) > $@/bash-completion/completions/stackdoctor
	$(call COMPLETE,zsh) > $@/zsh/site-functions/_stackdoctor
	$(call COMPLETE,fish) > $@/fish/vendor_completions.d/stackdoctor.fish
	$(BIN)/python $@/man_page.py > $@/man/man1/stackdoctor.1

FORCE:

format: $(VENV)/installed-test
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

clean:
	rm -rf $(VENV) $(BENCH) $(FUZZ) build dist *.egg-info .mypy_cache .ruff_cache .hypothesis .import_linter_cache
