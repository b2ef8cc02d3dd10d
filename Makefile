# Every target makes .venv if there is none. Plain `make` lists them.
.DEFAULT_GOAL := help
.PHONY: help up down test quick lint chaos bench simulate protos clean

BIN := .venv/bin

help: ## list the targets
	@grep -hE '^[a-z]+:.*## ' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 12

up: ## start three nodes on this machine and walk through one compare-and-set
	@scripts/bootstrap.sh server,cli
	@$(BIN)/kvraft cluster start
	@scripts/walkthrough.sh

down: ## stop them; data stays in .kvraft/
	@scripts/bootstrap.sh server,cli
	@$(BIN)/kvraft cluster stop

test: lint ## everything: lint, types, layers, tests, simulation, the smoke part of chaos (about 10 minutes)
	@echo "== unit, property, integration and simulation tests"
	@$(BIN)/pytest -q -n 2 --dist worksteal tests
	@echo "== chaos: the smoke part"
	@$(BIN)/pytest -q -m smoke chaos

lint: ## ruff, mypy, import contracts
	@scripts/bootstrap.sh dev
	@echo "== ruff, mypy, import contracts"
	@$(BIN)/ruff check -q .
	@$(BIN)/ruff format -q --check .
	@$(BIN)/mypy
	@$(BIN)/lint-imports

quick: ## the fast tests only
	@scripts/bootstrap.sh dev
	@$(BIN)/pytest -q -n 2 -m "not slow" tests/unit tests/property

chaos: ## every chaos scenario (about 5 minutes), then each fault and recipe by itself (as long again)
	@scripts/bootstrap.sh dev
	@$(BIN)/pytest -v -s chaos
	@$(BIN)/pytest -v -s -m long chaos

simulate: ## a longer simulation campaign
	@scripts/bootstrap.sh dev
	@$(BIN)/python -m kvraft_chaos.simulation --seeds 1-1000 --jobs 2

bench: ## benchmarks, with peers where they are installed; PART="cas reads unary" for some parts
	@scripts/bootstrap.sh dev
	@$(BIN)/python -m benchmarks $(PART)

protos: ## generate kvraft/v1 from protos/, and the sync client from the async one
	@scripts/bootstrap.sh dev
	@$(BIN)/python scripts/generate_protos.py
	@$(BIN)/python scripts/generate_sync_client.py

clean: ## remove what builds and tests leave (not .kvraft/)
	@rm -rf .venv build dist .mypy_cache .ruff_cache .pytest_cache .hypothesis runs
