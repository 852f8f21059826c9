# Needs Python 3.11 or newer, make and the package index; nothing else, and no root.
PYTHON ?= python3
UV_VERSION := 0.13.9
BIN := .venv/bin
LOCK := $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --no-emit-index-url
# Tests and checks have engines of their own, beside those of a running demonstration.
TEST_RUN_DIR := $(or $(RUN_DIR),.run)/test

.DEFAULT_GOAL := help
.PHONY: help demo test check install lock

help: ## Show this list
	@awk -F ':.*## ' '/^[a-z]+:.*## /{printf "make %-9s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

demo: .venv/installed ## Run the portal with a demonstration incident; PORT=8000, RUN_DIR=.run
	@$(BIN)/python -m ir_portal.up

test: .venv/installed-dev ## Run all tests; ARGS="tests/timeline -x" narrows them
	@RUN_DIR=$(TEST_RUN_DIR) $(BIN)/python -m pytest $(ARGS)

check: .venv/installed-dev ## Formatting, lint, types, imports, migrations, deployment settings, and all tests
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	RUN_DIR=$(TEST_RUN_DIR) $(BIN)/python manage.py makemigrations --check --dry-run
	RUN_DIR=$(TEST_RUN_DIR) HTTPS=1 $(BIN)/python manage.py check --deploy --fail-level WARNING
	RUN_DIR=$(TEST_RUN_DIR) $(BIN)/python -m pytest $(ARGS)

install: .venv/installed ## Make .venv with what the portal runs on

lock: .venv/uv ## Pin requirements with hashes; UPGRADE=--upgrade takes newer versions
	$(LOCK) $(UPGRADE) requirements-dev.in -o requirements-dev.txt
	$(LOCK) -c requirements-dev.txt requirements.in -o requirements.txt

.venv/uv:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed. Name one: make PYTHON=python3.11 ..."; exit 1; }
	@$(PYTHON) -m venv .venv || \
		{ echo "Python cannot make virtual environments here. On Debian: apt-get install python3-venv"; exit 1; }
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check uv==$(UV_VERSION)
	@touch $@

# uv takes seconds where pip takes twenty. Where it cannot reach an index that pip's own settings name, pip does it.
define INSTALL
	@echo "Installing $<"
	@$(BIN)/uv pip install --quiet --python $(BIN)/python --require-hashes -r $< || \
		$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r $<
	@touch $@
endef

.venv/installed: requirements.txt .venv/uv
	$(INSTALL)

.venv/installed-dev: requirements-dev.txt .venv/uv
	$(INSTALL)
