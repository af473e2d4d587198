# Every target makes its own virtual environment if there is none.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
READY := $(VENV)/ready

.DEFAULT_GOAL := help
.PHONY: help demo test isolation fuzz model moves check format golden crash load bench lock clean

help: ## list the targets
	@sed -n 's/^\([a-z]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 18

demo: $(READY) ## run the control plane, a real Envoy and four backends on this machine
	@$(BIN)/penstock demo

test: $(READY) ## run all tests, those with a real Envoy too
	$(BIN)/python -m pytest --numprocesses auto --dist worksteal $(ARGS)

isolation: $(READY) ## prove at length that no team breaks what others are served
	PENSTOCK_ISOLATION_CASES=2000 $(BIN)/python -m pytest tests/isolation --timeout 3600 $(ARGS)

fuzz: $(READY) ## prove at length that no input stops the translation or keeps it busy
	PENSTOCK_FUZZ_CASES=20000 $(BIN)/python -m pytest tests/fuzz --timeout 3600 $(ARGS)

model: $(READY) ## prove at length that every conversation with a client ends well
	PENSTOCK_MODEL_CASES=5000 $(BIN)/python -m pytest tests/xds/test_model.py --timeout 3600 $(ARGS)

moves: $(READY) ## prove at length that traffic moved to and fro loses no request
	PENSTOCK_MOVES=2000 $(BIN)/python -m pytest tests/envoy/test_moves.py -s $(ARGS)

check: $(READY) ## lint, types, import layers
	$(BIN)/ruff check
	$(BIN)/ruff format --check
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(READY) ## put the code into its format
	$(BIN)/ruff check --fix
	$(BIN)/ruff format

golden: $(READY) ## write the golden files anew, and delete those without a case
	$(BIN)/python -m pytest tests/golden --update-golden $(ARGS)

crash: $(READY) ## kill the control plane many times, and see that nothing is lost
	@PYTHONPATH=.:tests $(BIN)/python tests/crash/campaign.py $(ARGS)

load: $(READY) ## measure the server with a thousand streams, some of them stuck
	@PYTHONPATH=.:tests $(BIN)/python tests/load/load.py $(ARGS)

bench: $(READY) ## measure over what cannot be avoided; ARGS=--short takes two minutes
	$(BIN)/python -m benchmarks $(ARGS)

lock: ## pin the newest allowed versions of all dependencies
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url \
	  --no-header --output-file requirements.lock pyproject.toml
	$(BIN)/uv pip compile --quiet --universal --upgrade --generate-hashes --no-emit-index-url \
	  --no-header --output-file requirements-dev.lock --constraint requirements.lock \
	  --extra demo --group build --group test --group lint pyproject.toml

clean: ## remove the virtual environment and everything that was generated
	rm -rf $(VENV) build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis

$(READY): requirements-dev.lock pyproject.toml
	@echo "Preparing $(VENV) (once)..." >&2
	@test -x $(BIN)/python || $(PYTHON) -m venv $(VENV)
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --require-hashes --requirement requirements-dev.lock
	@$(BIN)/python -m pip install --quiet --disable-pip-version-check \
	  --no-deps --no-build-isolation --editable .
	@touch $@
