# Everything a newcomer needs: make demo, make test. The rest: make help.
SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DEFAULT_GOAL := help
MAKEFLAGS += --no-print-directory

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Argo Rollouts 1.10.2 asks for a newer Go than some machines have; it comes as a module.
export GOTOOLCHAIN := auto

say = @printf '\033[1m==> %s\033[0m\n' "$(1)"

.PHONY: help
help: ## what there is
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | awk -F ':.*## ' '{printf "  make %-12s %s\n", $$1, $$2}'

# -- what the others need -------------------------------------------------------------------------------------------

$(VENV)/.installed: requirements/dev.lock pyproject.toml
	$(call say,Python packages of requirements/dev.lock into $(VENV))
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --require-hashes -r requirements/dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

.PHONY: generate
generate: $(VENV)/.installed ## the code of the contract from proto/, for Python and Go
	$(call say,generated code of proto/)
	@tools/generate

.PHONY: lock
lock: ## renew the lock files from pyproject.toml
	@$(BIN)/python -m pip install --quiet uv
	@for set in "runtime" "dev --group dev"; do set -- $$set; name=$$1; shift; \
	  $(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-annotate --no-header \
	    pyproject.toml "$$@" --output-file requirements/$$name.lock; done
