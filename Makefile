# Everything a newcomer types. `make run-matrix` and `make test` set up what they need first.
PYTHON ?= python3
VENV := .venv
BIN := $(VENV)/bin
# Processes that share the tests, a file at a time, in the order of tests/conftest.py: one more than cores, as some wait.
PROCESSES ?= 3

# Tests and runs start Python hundreds of times; where this is set each start would compile everything again.
export PYTHONDONTWRITEBYTECODE :=

.PHONY: run-matrix test setup check full bench soak audit

run-matrix: setup
	$(BIN)/invoke run-matrix

SHARED := --numprocesses=$(PROCESSES) --dist=loadfile --no-loadscope-reorder

test: setup
	$(BIN)/pytest -m "not full" $(SHARED)

setup: $(VENV)/.ready

$(VENV)/.ready: pyproject.toml requirements.txt
	@command -v git >/dev/null || { echo "git is missing: install git"; exit 1; }
	@$(PYTHON) -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null || \
		{ echo "Python 3.11 or newer is missing: install it, or name it: make PYTHON=python3.12"; exit 1; }
	@$(PYTHON) -c 'import venv, ensurepip' 2>/dev/null || \
		{ echo "Python's venv is missing: install it (Debian: apt install python3-venv)"; exit 1; }
	$(PYTHON) -m venv $(VENV)
	$(BIN)/pip install --quiet --disable-pip-version-check --require-hashes --requirement requirements.txt
	$(BIN)/pip install --quiet --disable-pip-version-check --no-deps --no-build-isolation --editable .
	@test -x "$$($(BIN)/python -c 'from adbutils import adb_path; print(adb_path())' 2>/dev/null)" || \
		{ echo "adb is missing: install it (Debian: apt install adb)"; exit 1; }
	@touch $@

check: setup
	$(BIN)/ruff check . && $(BIN)/ruff format --check . && $(BIN)/mypy && $(BIN)/lint-imports

full: setup .explore/.ready
	$(BIN)/pytest -m "full and not alone" $(SHARED)
	$(BIN)/pytest -m "full and alone"

# What asks a dataset the questions of docs/explore.md, of no use to the project itself. Without it these are skipped.
.explore/.ready: pyproject.toml constraints.txt
	@$(PYTHON) -m venv .explore && .explore/bin/pip install --quiet --disable-pip-version-check \
		--constraint constraints.txt $$($(BIN)/python -c "import tomllib; \
		print(*tomllib.load(open('pyproject.toml', 'rb'))['project']['optional-dependencies']['explore'])") \
		&& touch $@ || echo "No pandas and DuckDB here: the questions of docs/explore.md are not asked."

bench: setup
	$(BIN)/python benchmarks --write docs/benchmarks.md $(BENCH)

soak: setup
	$(BIN)/python benchmarks/soak.py $(SOAK)

# Known vulnerabilities of what requirements.txt installs; asks a service on the Internet.
audit: .audit/bin/pip-audit
	.audit/bin/pip-audit --disable-pip --require-hashes --requirement requirements.txt

.audit/bin/pip-audit:
	$(PYTHON) -m venv .audit
	.audit/bin/pip install --quiet --disable-pip-version-check pip-audit
