# RecArena's commands. Nothing needs to be installed before but Python 3.11-3.13 and make.
#
#   make demo                              a whole experiment, from nothing to a leaderboard
#   make demo DATASET=ml-1m                ... on another MovieLens data set
#   make demo DATASET=ml-1m FROM=~/ml-1m   ... whose files are in that folder

PYTHON ?= $(firstword $(foreach version,3.11 3.12 3.13,$(shell command -v python$(version))) python3)
VENV := .venv
BIN := $(VENV)/bin
PIP := $(BIN)/python -m pip --disable-pip-version-check --no-input install --quiet
LOCKED := $(PIP) --require-hashes --no-deps

.DEFAULT_GOAL := help
.PHONY: help demo up down status test check lint bench clean compose-demo test-compose test-compose-all test-faults

help: ## Show this list.
	@sed -nE 's/^([a-z-]+):.*## (.*)/  make \1|\2/p' Makefile | column -t -s '|'

demo: $(VENV)/installed ## Start the services, load a data set, run the recommenders, show the leaderboard.
	@$(BIN)/recarena demo $(if $(DATASET),--dataset '$(DATASET)') $(if $(FROM),--from '$(FROM)')

up: $(VENV)/installed ## Start PostgreSQL, FTP and MLflow as local processes.
	@$(BIN)/recarena up

down: $(VENV)/installed ## Stop them.
	@$(BIN)/recarena down

status: $(VENV)/installed ## Show whether they run, and where.
	@$(BIN)/recarena status

test: $(VENV)/installed-dev ## Run the tests, against servers of their own.
	$(BIN)/python -m pytest

# Images say which commit they were made from, if it is known.
export GIT_COMMIT ?= $(shell git describe --always --abbrev=40 --dirty --exclude '*' 2>/dev/null)

compose-demo: ## The same as demo in containers; needs Docker and Compose, and no Python.
	@DATASET='$(DATASET)' docker/demo.sh

test-compose: $(VENV)/installed-dev ## Run the tests of the containers; skipped without Docker.
	$(BIN)/python -m pytest -m 'compose and not long' tests/compose

test-compose-all: $(VENV)/installed-dev ## ... those that take long too.
	$(BIN)/python -m pytest -m compose tests/compose

test-faults: $(VENV)/installed-dev ## Break real services on purpose; writes the table in docs/reliability.md.
	FAULTS_TABLE=docs/reliability.md $(BIN)/python -m pytest -m faults tests/faults

check: lint ## Everything that must hold before a commit: lint, types, layers, SQL, tests with coverage.
	$(BIN)/python -m pytest --cov --cov-report=term

lint: $(VENV)/installed-dev
	$(BIN)/ruff format --check src tests bench alembic docker
	$(BIN)/ruff check src tests bench alembic docker
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint --processes 1 src/sql

bench: $(VENV)/installed-dev ## Measure against floors and peers at MovieLens 10M size; writes bench/RESULTS.md.
	$(BIN)/python bench/run.py

clean: ## Stop the local services and remove their data, the environment and caches.
	@if [ -x $(BIN)/recarena ]; then $(BIN)/recarena down --remove-data; fi
	rm -rf $(VENV) .recarena .mypy_cache .ruff_cache .pytest_cache .import_linter_cache .hypothesis .coverage bench/.work

$(VENV)/bin/python:
	@$(PYTHON) -c 'import sys; sys.exit(None if (3, 11) <= sys.version_info[:2] <= (3, 13) else "RecArena needs Python 3.11 to 3.13, but $(PYTHON) is " + sys.version.split()[0] + "; give another one: make PYTHON=python3.11")'
	$(PYTHON) -m venv $(VENV)

# The locked packages, by hash, and nothing that pip would add by itself: a lock is complete, and a
# package wanted with an extra would make pip look at releases newer than the locked one. Then the project itself, which is used where it lies.
$(VENV)/installed: requirements.txt pyproject.toml | $(VENV)/bin/python
	$(LOCKED) -r requirements.txt
	$(PIP) --no-deps -e .
	@touch $@

$(VENV)/installed-dev: requirements-dev.txt $(VENV)/installed
	$(LOCKED) -r requirements-dev.txt
	@touch $@
