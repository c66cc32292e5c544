# `make demo` and `make test` need Python 3.11 or newer, make and the package index; each builds what it needs.
#
#   make install   .venv with everything that is needed to run and to check
#   make demo      the whole engine against stub distributors
#   make test      the tests; ARGS="-k frames -x" goes to pytest
#   make check     format, lint, types, import contracts, tests: what must pass before a commit
#   make bench     the figures of the README, in about an hour; ARGS as for `run.py bench run`
#   make fuzz      hunt for input that breaks the reading of messages; SECONDS=600 for ten minutes a target
#   make format    bring the sources into shape
#   make lock      choose exact versions anew; UPGRADE=1 takes the newest
#   make clean     remove what make built; var/ (stores, feeds) stays

# The first of these that is new enough makes the environment; `make PYTHON=/some/python3 …` names one.
PYTHON ?= python3 python3.11 python3.12 python3.13 python3.14
ARGS ?=
SECONDS ?= 60

VENV := .venv
BIN := $(VENV)/bin
LOCKED := $(VENV)/.locked
INSTALLED := $(VENV)/.installed
FUZZER := $(VENV)/.fuzzer
SOURCES := run.py syncengine adapters state bench tests

# What a shell has set for another project would send packages or imports elsewhere.
unexport VIRTUAL_ENV PYTHONPATH PYTHONHOME CONDA_PREFIX PIP_TARGET PIP_PREFIX PIP_USER PIP_REQUIREMENT PIP_CONSTRAINT
unexport UV_PROJECT_ENVIRONMENT UV_PYTHON
export PIP_DISABLE_PIP_VERSION_CHECK := 1
export PIP_NO_INPUT := 1

.PHONY: install demo test check bench fuzz format lock clean

install: $(INSTALLED)

demo: $(INSTALLED)
	@$(BIN)/python run.py demo

test: $(INSTALLED)
	@$(BIN)/python -m pytest $(ARGS)

check: $(INSTALLED)
	@echo "== format"
	@$(BIN)/ruff format --check $(SOURCES)
	@echo "== lint"
	@$(BIN)/ruff check $(SOURCES)
	@echo "== types"
	@$(BIN)/mypy
	@echo "== import contracts"
	@$(BIN)/lint-imports --no-logo
	@echo "== tests"
	@$(BIN)/python -m pytest $(ARGS)

# The figures of the README: everything that is measured there, five rounds, with charts and a page in var/bench/report.
bench: $(INSTALLED)
	@$(BIN)/python run.py bench run passes peers memory lag orders start \
		--records 50000 --rounds 5 --report var/bench/report $(ARGS)

fuzz: $(FUZZER)
	@for target in framing envelope; do \
		$(BIN)/python -m tests.fuzz $$target --seconds $(SECONDS) || exit 1; \
	done

format: $(INSTALLED)
	@$(BIN)/ruff check --fix-only --quiet $(SOURCES)
	@$(BIN)/ruff format $(SOURCES)

lock: $(INSTALLED)
	@$(call resolve,requirements)
	@$(call resolve,requirements-bench,--constraints requirements.lock)
	@$(call resolve,requirements-dev,--constraints requirements.lock --constraints requirements-bench.lock)
	@$(call resolve,requirements-fuzz,--constraints requirements-dev.lock)
	@echo "The lock files are up to date; 'make install' brings $(VENV) to them."

clean:
	@rm -rf $(VENV) build *.egg-info .mypy_cache .ruff_cache .pytest_cache .hypothesis .import_linter_cache
	@find $(SOURCES) -name __pycache__ -type d -prune -exec rm -rf {} +

# An environment that is there is kept where its Python still runs and is new enough.
$(LOCKED): requirements-dev.lock
	@$(call is_new_enough,$(BIN)/python) && $(BIN)/python -m pip --version >/dev/null 2>&1 || { $(make_environment); }
	@echo "Installing the locked dependencies into $(VENV) (the first time takes a minute) …"
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-dev.lock
	@touch $@

$(INSTALLED): $(LOCKED) requirements.lock requirements.in pyproject.toml
	@$(BIN)/python -m pip install --quiet --no-deps --no-build-isolation --editable .
	@touch $@

$(FUZZER): requirements-fuzz.lock $(INSTALLED)
	@$(BIN)/python -m pip install --quiet --require-hashes -r requirements-fuzz.lock
	@touch $@

is_new_enough = $(1) -c 'import sys; sys.exit(sys.version_info < (3, 11))' >/dev/null 2>&1

define make_environment
	for python in $(PYTHON); do \
		if $(call is_new_enough,$$python); then \
			echo "Making $(VENV) with $$($$python --version) …"; \
			$$python -m venv --clear $(VENV) && exit 0; \
			echo "make: $$python cannot make a virtual environment; on Debian and Ubuntu: apt-get install python3-venv" >&2; \
			exit 1; \
		fi; \
	done; \
	echo "make: Python 3.11 or newer is needed, and none of these is: $(PYTHON)." >&2; \
	echo "make: install one, or name one: make PYTHON=/path/to/python3 $(MAKECMDGOALS)" >&2; \
	exit 1
endef

define resolve
	$(BIN)/uv pip compile --quiet --universal --python-version 3.11 --generate-hashes \
		--no-header --no-annotate $(if $(UPGRADE),--upgrade) $(2) $(1).in --output-file $(1).lock
endef
