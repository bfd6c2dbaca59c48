# `make` alone shows what there is. Everything is installed into .venv/, nothing into the system but the
# Debian packages named below, and those only where a command is missing.
SHELL := bash
.SHELLFLAGS := -eu -o pipefail -c
.DEFAULT_GOAL := help
.ONESHELL:

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --quiet
DEMO_DIR ?= .demo
PORT ?= 8000

.PHONY: help setup demo test check format benchmark clean

help: ## Show this list
	@grep -hE '^[a-z-]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 14

setup: $(VENV)/.everything ## Install everything into .venv/ (again: only what changed)

demo: $(VENV)/.serving ## Start a hub with the demo models in it and print its address
	@exec $(BIN)/python -m training.demo.start --data-dir $(DEMO_DIR) --port $(PORT)

test: setup ## Run every test
	@# Stock clients that the tests drive; without them those tests are skipped, and say so.
	for need in git-lfs:git-lfs npm:npm node:nodejs; do
		if ! command -v "$${need%%:*}" >/dev/null && [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			(apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq "$${need##*:}") >/dev/null || true
		fi
	done
	$(BIN)/python -m pytest -n 2 --dist loadgroup $(ARGS)

check: setup ## Format, lint, types, import rules
	@$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/pyright
	$(BIN)/lint-imports

format: setup ## Format, and mend what the linter can mend
	@$(BIN)/ruff format . && $(BIN)/ruff check --fix .

benchmark: setup ## Run the benchmarks; each prints ratios against a peer of the same run
	@for script in benchmarks/bench_*.py; do echo "== $$script"; $(BIN)/python "$$script"; done

clean: ## Remove .venv/, the demo hub and every cache
	rm -rf $(VENV) $(DEMO_DIR) .pytest_cache .ruff_cache .hypothesis .import_linter_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

$(BIN)/python:
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11) and "Voxhub needs Python 3.11 or newer: set PYTHON=…")'
	if ! command -v git >/dev/null || ! $(PYTHON) -c 'import ensurepip' 2>/dev/null; then
		if [ "$$(id -u)" = 0 ] && command -v apt-get >/dev/null; then
			apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq git python3-venv >/dev/null
		else
			echo 'git and python3-venv are needed: apt-get install git python3-venv' >&2; exit 1
		fi
	fi
	$(PYTHON) -m venv $(VENV)
	echo 'Made $(VENV)/.'

$(VENV)/.serving: pyproject.toml constraints.txt | $(BIN)/python
	@if [ ! -e $(VENV)/.everything ] || [ pyproject.toml -nt $(VENV)/.everything ]; then
		echo 'Installing what serving needs (no torch) …'
		$(PIP) install -c constraints.txt -e '.[server]'
	fi
	touch $@

$(VENV)/.everything: pyproject.toml constraints.txt | $(BIN)/python
	@echo 'Installing everything, torch among it; the first time takes a few minutes …'
	$(PIP) install -c constraints.txt -e '.[dev]'
	touch $@ $(VENV)/.serving
