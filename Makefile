# `make demo` and `make test` need Python 3.11 or newer and nothing else: they set up .venv.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PROGRAM := $(VENV)/.program
READY := $(VENV)/.ready
INSTALL = $(BIN)/python -m pip install --disable-pip-version-check --progress-bar on

.PHONY: demo test slow check format bench versions lowest clean

demo: $(PROGRAM)
	@$(BIN)/notifycli demo

test: check
	$(BIN)/pytest -n auto --dist worksteal

# What takes minutes: kill storms, clusters, and every law on many drawn examples.
slow: $(READY)
	$(INSTALL) --group slow
	$(BIN)/pytest -n auto -m 'slow or hypothesis' --hypothesis-profile many

check: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY)
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .
	$(BIN)/python scripts/write_reference.py
	$(BIN)/python scripts/write_completions.py
	$(BIN)/python scripts/write_manual.py
	$(BIN)/python scripts/write_schemas.py
	$(BIN)/python scripts/write_picture.py

bench: $(READY)
	$(BIN)/python -m benchmarks

# The documentation's site, in build/html.
docs: $(READY)
	$(INSTALL) --quiet --group docs
	$(BIN)/python scripts/write_site.py
	$(BIN)/zensical build --strict --config-file build/mkdocs.yml

# The heart of the tests again, with the newest Python that is here.
versions: $(READY)
	bash scripts/test-versions

# What leans on libraries, with the lowest versions allowed.
lowest:
	bash scripts/test-lowest

# What `make demo` runs, and nothing more: the tests' tools take a minute and hundreds of megabytes.
$(PROGRAM): pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	  || { echo "notifycli needs Python 3.11 or newer: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	@echo "Setting up $(VENV) with notifycli and what it needs; this happens once."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --upgrade 'pip>=25.1'
	$(INSTALL) --editable .
	@touch $@

$(READY): $(PROGRAM)
	@echo "Adding what the checks and the tests need; this takes a minute or two, once."
	$(INSTALL) --editable . --group dev
	@touch $@

clean:
	rm -rf $(VENV)
