# Everything a newcomer needs: `make demo`, `make test`. Each target sets up what it needs, once.

PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
BENCH := .venv-bench
BUFFALO := .venv-bench-buffalo
PLAYERS := .venv-players
DEMO_HOME ?= build/demo
# pip would compile on one processor, and with what is loaded also tests and what is large and never loaded here.
define install
$(PYTHON) -m venv $(1)
$(1)/bin/python -m pip install --disable-pip-version-check --quiet --no-compile --require-hashes --requirement $(2)
-@$(1)/bin/python -m compileall -qq -j 0 -x '/(tests?|mypyc?|playwright|sqlalchemy)/' $(1)/lib
endef
# A file's tests stay together, for the sake of what they share; long files come before the last ones. A process that
# crashes ends the run: xdist may wait for ever for what replaces it.
PYTEST = $(BIN)/python -m pytest --numprocesses auto --dist loadfile --no-loadscope-reorder --max-worker-restart 0
SELF = --disable-pip-version-check --quiet --no-deps --no-build-isolation --editable .

.DEFAULT_GOAL := help
# The kernels are compiled beside the checks of types.
MAKEFLAGS += --jobs=2
# Node and npm: those of the machine, or those that the environment has.
NPM = $(BIN)/python web/node.py npm
# What a lock names, into node_modules beside it. Where the registry of npm cannot be reached, what needs them is skipped
# and says so; every other failure is one.
UNREACHABLE = npm error code (E[A-Z_]*TIMED?OUT|E[A-Z]+UNREACH|EAI_AGAIN|ENOTFOUND|ECONN[A-Z]+|E5[0-9]+)$$
define packages
@rm -f $@; said=$$($(NPM) ci --prefix $(<D) --loglevel error --no-audit --no-fund --prefer-offline --fetch-retries 1 \
	2>&1 > /dev/null) && touch $@ || { echo "$$said"; echo "$$said" | grep -qE "$(UNREACHABLE)"; }
endef

.PHONY: help demo test test-all servers page page-check chromium kernels coverage bench bench-full bench-guard bench-report lint format docs lock clean

help:  ## Show what can be made
	@grep -hE '^[a-z-]+:.*## ' $(MAKEFILE_LIST) | sed -E 's/:.*## /\t/' | expand -t 12

$(VENV)/ready: requirements/dev.txt pyproject.toml
	@$(PYTHON) -c 'import sys; sys.exit(not (3, 11) <= sys.version_info[:2] <= (3, 13))' \
		|| { echo "Crossfade needs Python 3.11 to 3.13; name one with: make PYTHON=python3.12 $(MAKECMDGOALS)"; exit 1; }
	$(call install,$(VENV),requirements/dev.txt)
	$(BIN)/python -m pip install $(SELF)
	@touch $@

$(BENCH)/ready: requirements/peers.txt pyproject.toml
	$(call install,$(BENCH),requirements/peers.txt)
	$(BENCH)/bin/python -m pip install $(SELF)
	@touch $@

# Empty where there is no wheel; the benchmark then says that it goes without.
$(BUFFALO)/ready: requirements/buffalo.txt
	$(call install,$(BUFFALO),requirements/buffalo.txt)
	@touch $@

$(PLAYERS)/ready: requirements/players.txt
	$(call install,$(PLAYERS),requirements/players.txt)
	@touch $@

demo: $(VENV)/ready  ## Make a world of listeners, run the whole job on it, and open the result
	$(BIN)/crossfade demo --home $(DEMO_HOME) --open

test: lint kernels page-check chromium servers tests/clients/node_modules/ready  ## Lint, types, layers, and every test that takes seconds
	$(PYTEST) -m "not slow"

test-all: lint kernels page-check chromium servers tests/clients/node_modules/ready $(PLAYERS)/ready  ## The same with the slow tests
	$(PYTEST)

# The library of a player.
tests/clients/node_modules/ready: tests/clients/package-lock.json $(VENV)/ready
	$(packages)

web/node_modules/ready: web/package-lock.json $(VENV)/ready
	$(packages)

page: web/node_modules/ready  ## Build the web page into the package
	$(NPM) --prefix web run --silent build

# The page is committed, so that installing needs no Node: what is committed must be what the sources make.
page-check: web/node_modules/ready  ## Types and tests of the web page, and that it is built from its sources
	@if [ ! -e $< ]; then echo "Skipped page-check: the registry of npm cannot be reached"; exit; fi; set -ex; \
	$(NPM) --prefix web run --silent check; \
	$(NPM) --prefix web run --silent test; \
	$(NPM) --prefix web run --silent build -- --outDir $(CURDIR)/build/page --logLevel error; \
	diff -r build/page src/crossfade/serve/page || { echo "The page is not built from web/: run make page."; exit 1; }

chromium: $(VENV)/ready  ## Install Chromium for the tests of the page, if there is none
	@$(BIN)/python -m tests.web.chromium

servers: $(VENV)/ready  ## Bring the jars of Cassandra and Hadoop for the tests, by Maven
	@$(BIN)/python -m tests.servers.jars

# Otherwise each process of the tests would compile most of them.
kernels: $(VENV)/ready  ## Compile the kernels that are not, in two processes
	$(BIN)/python -m crossfade.pipeline.compiling

coverage: $(VENV)/ready  ## Show the lines that no test of seconds runs
	$(BIN)/coverage erase
	$(BIN)/coverage run -m pytest -m "not slow"
	@$(BIN)/coverage combine --quiet && $(BIN)/coverage report

bench: $(BENCH)/ready $(BUFFALO)/ready  ## Measure against peers, some 20 minutes; writes benchmarks/results/
	$(BENCH)/bin/python -m benchmarks

bench-full: $(BENCH)/ready $(BUFFALO)/ready  ## Measure what takes hours too: Spark, 300,000 items, growth
	$(BENCH)/bin/python -m benchmarks --full

bench-guard: $(BENCH)/ready $(BUFFALO)/ready  ## Measure again, elsewhere, and fail if a ratio to a peer fell
	$(BENCH)/bin/python -m benchmarks --results build/bench
	$(BENCH)/bin/python -m benchmarks guard build/bench

bench-report: $(BENCH)/ready  ## Write docs/benchmarks.md and its plots from benchmarks/results/
	$(BENCH)/bin/python -m benchmarks report

lint: $(VENV)/ready  ## Style, types and layers
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy
	$(BIN)/lint-imports

format: $(VENV)/ready  ## Rewrite the code in the project's style
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

docs: $(VENV)/ready  ## Write the page of settings from the code
	$(BIN)/python -m crossfade.cli.settings_page > docs/settings.md

lock:  ## Resolve the dependencies anew (needs uv and npm)
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra all --extra spark --extra cassandra --group test \
		pyproject.toml --output-file requirements/dev.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header \
		--extra all --extra spark --extra cassandra --group test \
		--group peers pyproject.toml --output-file requirements/peers.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group buffalo \
		--output-file requirements/buffalo.txt
	uv pip compile --quiet --universal --python-version 3.11 --generate-hashes --no-header --group players \
		--output-file requirements/players.txt
	for place in web tests/clients; do npm --prefix $$place install --package-lock-only --silent \
		--omit-lockfile-registry-resolved --no-audit --no-fund; done

clean:  ## Remove what was built, keep the environments
	rm -rf build dist .coverage* .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	find src tests benchmarks -name __pycache__ -prune -exec rm -rf {} +
