# Needs make and Python 3.11 or newer; the rest is installed into .venv, in the versions that
# constraints.txt names. `make PYTHON=/path/to/python3.13 test` chooses another interpreter.

PYTHON ?= python3
PYTEST_ARGS ?=
BENCH_ARGS ?=
FUZZ_ARGS ?= -max_total_time=60
BENCHMARKS ?= benchmarks/view.py benchmarks/log.py

VENV := .venv
BIN := $(VENV)/bin
# What to run and what to develop are installed apart, so that the demo waits for no test tool.
MADE := $(VENV)/.made
RUN := $(VENV)/.installed-run
DEV := $(VENV)/.installed-dev
PEERS := $(VENV)/.installed-peers
REQUIREMENTS := pyproject.toml constraints.txt
SOURCES = $(wildcard concordat provider exchange registrar witness clients tests tools benchmarks \
    interop docs/conf.py)

.DEFAULT_GOAL := help
.DELETE_ON_ERROR:

.PHONY: help
help: ## Show this list
	@awk 'BEGIN {FS = ":.*## "} /^[a-z-]+:.*## / {printf "  make %-13s %s\n", $$1, $$2}' $(MAKEFILE_LIST)

.PHONY: demo
demo: $(RUN) ## Start a whole federation on this machine and walk through it (under 90 s)
	$(BIN)/concordat demo

.PHONY: console
console: $(RUN) ## Start a federation with something to show, and open the wallet's page and the regulator's desk
	$(BIN)/python tools/console.py

.PHONY: test
test: $(DEV) ## Run the tests, one worker a core; PYTEST_ARGS="-n 0 -k consent" is handed on
	$(BIN)/pytest -q -rs -n auto --dist loadfile $(PYTEST_ARGS)

.PHONY: test-long
test-long: $(DEV) ## Run the long tests: big files, faults, load
	$(BIN)/pytest -v -m slow $(PYTEST_ARGS)

.PHONY: fuzz
fuzz: $(DEV) ## Fuzz the parsers of the log's formats; FUZZ_ARGS="-runs=..." is handed on
	$(BIN)/python tests/fuzz/fuzz_notes.py $(FUZZ_ARGS)

.PHONY: check
check: $(DEV) ## Lint, types, the contract's rules, and whether generated code is current
	$(BIN)/ruff check .
	$(BIN)/ruff format --check .
	$(BIN)/mypy $(SOURCES)
	$(BIN)/python tools/protos.py --lint
	$(BIN)/python tools/protos.py --check
	$(BIN)/python tools/docs.py --check

.PHONY: catalogs
catalogs: $(DEV) ## Gather the pages' texts into the catalogs, for translation
	$(BIN)/python tools/catalogs.py

.PHONY: screenshots
screenshots: $(DEV) ## Take the pictures of both pages that the documents show; needs Chromium
	$(BIN)/python tools/screenshots.py

.PHONY: docs
docs: $(DEV) ## Build the documentation site into site/; a warning fails
	$(BIN)/sphinx-build -q -W --keep-going docs site

.PHONY: interop
interop: $(DEV) ## Have Go, from Debian's archive, verify a log of ours, and ours what Go signed
	$(BIN)/python -m interop

.PHONY: format
format: $(DEV) ## Format the code and mend what ruff can mend
	$(BIN)/ruff check --fix .
	$(BIN)/ruff format .

.PHONY: protos
protos: $(DEV) ## Generate concordat/v1 from protos/
	$(BIN)/python tools/protos.py

.PHONY: bench
bench: $(DEV) $(PEERS) ## Run the benchmarks; BENCHMARKS=... picks, BENCH_ARGS=... is handed on
	@set -e; for benchmark in $(BENCHMARKS); do \
	    echo "== $$benchmark"; $(BIN)/python $$benchmark $(BENCH_ARGS); \
	done

.PHONY: listings-real
listings-real: $(DEV) ## File 70,975 real debts and live through 36 years; BENCH_ARGS="--rows 300" is handed on
	$(BIN)/python benchmarks/listings_real.py $(BENCH_ARGS)

.PHONY: clean
clean: ## Remove everything that make made, the environment too
	rm -rf $(VENV) build dist *.egg-info demo-out bench-out site .interop
	rm -rf .hypothesis .mypy_cache .pytest_cache .ruff_cache
	find . -name __pycache__ -type d -prune -exec rm -rf {} +

# The environment -------------------------------------------------------------------------------

# Without build isolation pip builds with the pinned setuptools, not with whatever is newest.
define install
	@echo "Installing $(1) into $(VENV); the first time takes a minute or two"
	$(BIN)/python -m pip install --no-build-isolation -c constraints.txt -e '$(1)'
endef

$(RUN): $(MADE) $(REQUIREMENTS)
	$(call install,.)
	@touch $@

$(DEV): $(MADE) $(REQUIREMENTS)
	$(call install,.[dev])
	@touch $(RUN) $@

# What is only measured beside: it is GPL, so nothing of ours depends on it or is shipped with it.
$(PEERS): $(MADE) Makefile
	$(BIN)/python -m pip install -c constraints.txt pymerkle==7.0.0
	@touch $@

$(MADE):
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' \
	    || { echo 'Concordat needs Python 3.11 or newer: make PYTHON=/path/to/python3.12 ...'; exit 1; }
	@$(PYTHON) -c 'import ensurepip, venv' 2>/dev/null \
	    || { echo '$(PYTHON) cannot make virtual environments: it comes without ensurepip.'; \
	         echo 'On Debian and Ubuntu install python3-venv, or name another interpreter:'; \
	         echo '    make PYTHON=/path/to/python3.12 ...'; exit 1; }
	@echo "Making $(VENV) with $$($(PYTHON) --version)"
	$(PYTHON) -m venv $(VENV)
	$(BIN)/python -m pip install -c constraints.txt --upgrade pip setuptools
	@touch $@
