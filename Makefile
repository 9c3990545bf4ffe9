# All developer commands. `make help` prints them.
PYTHON ?= python3
BIN := .venv/bin
PIP := $(BIN)/python -m pip install --quiet --disable-pip-version-check
export PYTHONPATH := $(CURDIR)

.PHONY: help demo test check run bench soak lock shots clean

help:  ## Print this list
	@grep -E '^[a-z]+:.*##' $(MAKEFILE_LIST) | sed 's/:.*## /\t/' | expand -t 10

# What the program needs to run, and what its developers need besides: the first is half as long to fetch.
.venv/runs: requirements.lock pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' || \
		{ echo "Python 3.11 or newer is needed; name it with make PYTHON=python3.12 ..." >&2; exit 1; }
	test -x $(BIN)/python || $(PYTHON) -m venv .venv
	$(PIP) --require-hashes -r requirements.lock
	$(PIP) --no-deps --editable .
	touch $@

.venv/ready: .venv/runs requirements-dev.lock
	$(PIP) --require-hashes -r requirements-dev.lock
	touch $@

demo: .venv/runs  ## Play a story of one store with real webhooks and a stand-in TikTok
	$(BIN)/connector demo

run: .venv/runs  ## Start the real thing on ./data (settings: README)
	$(BIN)/connector serve

check: .venv/ready  ## Format, lint, types, imports
	$(BIN)/ruff format --check .
	$(BIN)/ruff check .
	$(BIN)/mypy
	$(BIN)/lint-imports

test: .venv/ready  ## All tests
	.ci/system-packages
	$(BIN)/python -m pytest -n 2 --dist loadfile

bench: .venv/ready  ## Speed and memory against the budgets, as a table
	$(BIN)/python -m tests.bench

soak: .venv/ready  ## The long forms of the kill matrix and of broken requests, with a written report
	$(BIN)/python -m tests.soak

lock: .venv/ready  ## Resolve the dependencies anew
	$(BIN)/python -m pip install --quiet --disable-pip-version-check "pip-tools>=7.5,<8"
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-trusted-host \
		--strip-extras --no-annotate --no-header --allow-unsafe --output-file requirements.lock pyproject.toml
	$(BIN)/pip-compile --quiet --upgrade --generate-hashes --no-emit-index-url --no-emit-trusted-host \
		--strip-extras --no-annotate --no-header --allow-unsafe --extra dev --extra traces \
		--output-file requirements-dev.lock pyproject.toml

clean:  ## Remove what these commands made
	rm -rf .venv build dist *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis
