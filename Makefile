# Every target prepares what it needs; `make help` lists them.

SHELL := /bin/bash
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
RUN := $(BIN)/supplier-risk
STAMP := $(VENV)/.installed
DEV_STAMP := $(VENV)/.installed-dev
SUPERSET_VENV := .venv-superset
SUPERSET_STAMP := $(SUPERSET_VENV)/.installed
WORKERS ?= 2
SOAK_SECONDS ?= 300

.DEFAULT_GOAL := help
.PHONY: help install demo up down dashboards dbt-docs test test-slow soak lint bench bench-ingest bench-llm bench-dbt bench-history bench-dashboards clean lock

help: ## List the targets
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

install: $(STAMP) ## Install the product with locked versions into .venv

demo: $(STAMP) ## Real news from topic to risk scores, shown as a table; then everything stops
	@$(RUN) demo

up: $(STAMP) ## Start the local stack and return; the Dagster UI stays
	@$(RUN) local up --detach

down: $(STAMP) ## Stop the local stack; its data stay
	@$(RUN) local down

dashboards: $(STAMP) $(SUPERSET_STAMP) ## Superset with the dashboards, beside the running stack (make up)
	@$(RUN) local dashboards

dbt-docs: $(STAMP) ## Pages on every model and column, from the running stack; Ctrl-C stops them
	@$(RUN) local dbt-docs

test: $(DEV_STAMP) ## Fast unit tests and integration tests against the real parts
	$(BIN)/pytest -n $(WORKERS) --dist loadfile -m "not slow"

test-slow: $(DEV_STAMP) $(SUPERSET_STAMP) ## The slower kinds: crashes, whole stacks, Superset and Dagster in a browser
	$(BIN)/pytest -m slow

soak: $(DEV_STAMP) ## Everything killed, cut and spoiled at random for five minutes: nothing may be lost
	$(BIN)/pytest tests/soak -m slow -s --soak-seconds $(SOAK_SECONDS)

lint: $(DEV_STAMP) ## Style, types, import direction, SQL
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports
	$(BIN)/sqlfluff lint dbt_project/models dbt_project/tests

bench: $(DEV_STAMP) $(SUPERSET_STAMP) ## Measure against a bare peer, in one run; tables and benchmarks/results/
	$(BIN)/python -m benchmarks

bench-ingest: $(DEV_STAMP) ## Measure landing from the emulator beside a bare pull-and-ack loop
	$(BIN)/python -m benchmarks ingest pending memory

bench-llm: $(DEV_STAMP) ## Measure the LLM engine beside a bare loop and other libraries, and at rate limits
	$(BIN)/python -m benchmarks llm llm-peers rate-limits

bench-dbt: $(DEV_STAMP) ## Measure full builds and refreshes of the marts on 1,000,000 findings; takes some 20 minutes
	$(BIN)/python -m benchmarks marts

bench-history: $(DEV_STAMP) ## Measure rollback, undo, explain and search with 200,000 assessments
	$(BIN)/python -m benchmarks history

bench-dashboards: $(DEV_STAMP) $(SUPERSET_STAMP) ## Measure how soon Overview is drawn in a browser, with 1,000,000 findings; takes some 10 minutes
	$(BIN)/python -m benchmarks dashboards

lock: $(DEV_STAMP) ## Renew the locked versions
	$(BIN)/uv pip compile pyproject.toml --extra local $(LOCK_OPTIONS) -o requirements.lock
	$(BIN)/uv pip compile pyproject.toml --extra local --extra local-llm --extra dev $(LOCK_OPTIONS) \
		-c requirements.lock -o requirements-dev.lock
	$(BIN)/uv pip compile benchmarks/peers.in $(LOCK_OPTIONS) -o benchmarks/peers.lock
	$(BIN)/uv pip compile superset/requirements.in $(LOCK_OPTIONS) -o superset/requirements.lock

clean: ## Remove .venv, the local stack's data and everything that can be made again
	@if [ -x $(RUN) ]; then $(RUN) local down; $(RUN) local remove --yes; fi
	rm -rf $(VENV) $(SUPERSET_VENV) .state .pytest_cache .ruff_cache .mypy_cache .hypothesis dbt_project/target
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

LOCK_OPTIONS := --quiet --universal --python-version 3.11 --generate-hashes --no-emit-index-url \
	--no-annotate --no-header --no-strip-extras

# uv installs in seconds what takes pip minutes; it is itself installed by pip, with its hash.
$(BIN)/uv: requirements-uv.lock
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
		|| { echo "Python 3.11 or newer is needed: make PYTHON=python3.12 ..."; exit 2; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements-uv.lock
	@touch $@

$(STAMP): requirements.lock pyproject.toml | $(BIN)/uv
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode \
		--require-hashes -r requirements.lock
	$(BIN)/uv pip install --quiet --python $(BIN)/python --no-deps --no-build-isolation --editable .
	@touch $@

$(DEV_STAMP): requirements-dev.lock | $(STAMP)
	$(BIN)/uv pip install --quiet --python $(BIN)/python --compile-bytecode \
		--require-hashes -r requirements-dev.lock
	@touch $@

$(SUPERSET_STAMP): superset/requirements.lock | $(BIN)/uv
	$(PYTHON) -m venv $(SUPERSET_VENV)
	$(BIN)/uv pip install --quiet --python $(SUPERSET_VENV)/bin/python --compile-bytecode \
		--require-hashes -r superset/requirements.lock
	@touch $@
