# Two commands do everything: `make sandbox` and `make test`. Both make .venv first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Tests start some hundred processes; without this, a shell that forbids it has each compile all anew.
export PYTHONDONTWRITEBYTECODE :=
READY := $(VENV)/.ready

.PHONY: sandbox test lint unit coverage matrix mutants interleavings kills format bench lock clean

sandbox: $(READY)
	@exec $(BIN)/python -m sandbox $(ARGS)

# Side by side, since many tests wait more than they work. Whoever has no test left takes one that
# waits behind a long one.
test: $(READY)
	@$(MAKE) --no-print-directory --jobs 2 lint unit

lint: $(READY)
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/codespell
	$(BIN)/lint-imports
	$(BIN)/mypy

unit: $(READY)
	$(BIN)/python -m pytest -n 6 --dist worksteal $(ARGS)

# Which lines and branches of the bot no test reaches. A process that a test kills counts as not run,
# and a test that runs out of time ends the measuring of its worker; so there is more of it.
coverage: $(READY)
	@$(BIN)/coverage erase
	@$(BIN)/coverage run -m pytest -n 4 --timeout 300 $(ARGS); ended=$$?; \
		$(BIN)/coverage combine --quiet && $(BIN)/coverage report; exit $$ended

# The same with every Python and PostgreSQL that is here; each Python's first time is a minute more.
matrix: $(READY)
	@$(BIN)/python -m tests.matrix -n 6 $(ARGS)

# What of the changes in tests/mutants.py no test notices; ARGS="lease lock" tries some of them.
mutants: $(READY)
	@$(BIN)/python -m tests.mutants $(ARGS)

# Fifty thousand races of people, replicas and the cluster: about an hour. RUNBOLT_SEED begins elsewhere.
interleavings: $(READY)
	@RUNBOLT_INTERLEAVINGS=$${RUNBOLT_INTERLEAVINGS:-50000} \
		$(BIN)/python -m pytest -n 2 -q -rP tests/test_interleavings.py $(ARGS)

# Each kind of trouble at each point between approval and outcome of each change: some hours.
# RUNBOLT_KILLS=10 takes every tenth point; ARGS="-k set-env-kill" one action and trouble.
kills: $(READY)
	@RUNBOLT_KILLS=$${RUNBOLT_KILLS:-1} $(BIN)/python -m pytest -n 2 -q -rP tests/test_kills.py $(ARGS)

format: $(READY)
	$(BIN)/ruff format .
	$(BIN)/ruff check --fix .

bench: $(READY)
	$(BIN)/python -m bench $(ARGS)

lock: $(READY)
	$(BIN)/pip install --quiet uv
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--all-extras pyproject.toml --output-file requirements.lock

$(READY): requirements.lock pyproject.toml
	@echo "Setting up $(VENV), once: about a minute."
	@$(PYTHON) -m venv $(VENV)
	@$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes -r requirements.lock
	@$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@touch $@

clean:
	rm -rf $(VENV) .matrix .mypy_cache .pytest_cache .ruff_cache .import_linter_cache artefacts .coverage .coverage.*
