# What there is to do with Shanben on Debian or Ubuntu. Each target installs what it needs and is missing.
#
#   make demo     a sample rare book, ingested and served (HOST=127.0.0.1 PORT=8000)
#   make test     every test (PYTEST_ARGS to choose)
#   make lint     style, types, layers
#   make chaos    parts of a whole house are killed while it works (CHAOS_MINUTES=10 CHAOS_SEED=)
#   make fuzz     requests and files that nobody should send (FUZZ_MINUTES=10 FUZZ_SEED=)
#   make bench    the measurements of docs/benchmarks.md
#   make web      the reader's JavaScript
#   make lock     the pinned Python packages anew, from setup.cfg
#   make clean    away with what was built; .venv and the data folder stay

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:

PYTHON := .venv/bin/python
PIP := $(PYTHON) -m pip install --quiet --disable-pip-version-check
PACKAGES := repository iiif_server workers preservation web sample_book
CODE := $(PACKAGES) tests
# Two test processes: tests start servers and a browser of their own. Files stay whole: they share their fixtures.
PYTEST_ARGS ?= -n 2 --dist loadfile
# Debian's packages of the servers that tests start for themselves; those the packages start are left alone.
SERVERS := ceph-common ceph-mon ceph-osd nginx-light postgresql rabbitmq-server radosgw redis-server

.PHONY: demo test lint chaos fuzz bench web lock clean help runtime test-tools

help:
	@sed -n 's/^#   //p' Makefile

demo: runtime .make/reader .make/typeface
	scripts/demo.sh

test: lint .make/viewers
	scripts/debian-packages.sh chromium libmagic1 poppler-utils unzip fonts-noto-cjk $(SERVERS)
	$(PYTHON) -m pytest -m 'not alone' $(PYTEST_ARGS)
	$(PYTHON) -m pytest -m alone

lint: runtime test-tools .make/reader .make/typeface
	$(PYTHON) -m ruff check $(CODE)
	$(PYTHON) -m ruff format --check $(CODE)
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	cd web && npm run --silent check

chaos: runtime test-tools
	scripts/debian-packages.sh $(SERVERS)
	PYTHONPATH=tests/support $(PYTHON) tests/chaos/run.py

fuzz: runtime test-tools
	FUZZ_MINUTES=$${FUZZ_MINUTES:-10} FUZZ_SEED=$${FUZZ_SEED:-$$RANDOM} \
	  $(PYTHON) -m pytest -s -o timeout=0 tests/integration/test_fuzz.py

bench: runtime test-tools .make/peers
	scripts/debian-packages.sh nginx-light iipimage-server wrk time libvips-tools
	$(PYTHON) tests/bench/run.py

web: .make/reader

runtime: .make/runtime
test-tools: .make/test-tools

lock: .make/runtime
	scripts/lock.sh

clean:
	rm -rf .make build web/static/reader shanben.egg-info
	rm -rf web/node_modules sample_book/node_modules tests/browser/node_modules tests/bench/node_modules
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(CODE) scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than all that decides what its recipe makes.

.venv/bin/python:
	scripts/venv.sh

.make/runtime: requirements.lock setup.cfg pyproject.toml | .venv/bin/python
	@mkdir -p .make
	@echo "安装 Python 软件包 / Installing Python packages"
	@$(PIP) --requirement requirements.lock
	@$(PIP) --no-deps --editable .
	@touch $@

.make/test-tools: requirements-test.lock .make/runtime
	@echo "安装测试用 Python 软件包 / Installing Python packages for the tests"
	@$(PIP) --requirement requirements-test.lock
	@touch $@

READER_SOURCES := $(shell find web/reader -type f) $(wildcard web/*.json web/*.ts)

.make/reader: $(READER_SOURCES)
	@mkdir -p .make
	scripts/node-packages.sh web
	cd web && npm run --silent build
	@touch $@

.make/viewers: tests/browser/package.json tests/browser/package-lock.json
	@mkdir -p .make
	scripts/node-packages.sh tests/browser
	@touch $@

.make/peers: tests/bench/package.json tests/bench/package-lock.json
	@mkdir -p .make
	scripts/node-packages.sh tests/bench
	@touch $@

.make/typeface: sample_book/package.json sample_book/package-lock.json
	@mkdir -p .make
	scripts/node-packages.sh sample_book
	@touch $@
