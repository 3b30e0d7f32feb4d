# Development tasks on Debian or Ubuntu. Each target installs the packages it needs.
#
#   make demo     ingest and serve a sample rare book (HOST=127.0.0.1 PORT=8000)
#   make ocr      install the packages of `shanben ocr`: 180 MB
#   make check    lint, and the tests that start no server and no browser
#   make test     lint, and every test: ten to twenty minutes (PYTEST_ARGS='-k manifest' chooses)
#   make lint     check style, types and import layers
#   make chaos    kill a process at every write of a sweep and a repair, then parts of a whole installation while it
#                 ingests (CHAOS_MINUTES=10 CHAOS_SEED=)
#   make fuzz     send malformed requests and files (FUZZ_MINUTES=10 FUZZ_MASTERS=1000 FUZZ_SEED=)
#   make bench    run the measurements of docs/benchmarks.md
#   make web      build the reader's JavaScript
#   make lock     pin the Python packages of setup.cfg, with hashes
#   make lock-images  pin the container images of deploy/ by digest
#   make clean    remove what was built, except .venv and the data folder

SHELL := /bin/bash
.SHELLFLAGS := -euo pipefail -c
.DELETE_ON_ERROR:
MAKEFLAGS += --no-builtin-rules
.SUFFIXES:
# Tests start more than a thousand Python processes, each of which would compile the program again.
unexport PYTHONDONTWRITEBYTECODE

PYTHON := .venv/bin/python
PIP := $(PYTHON) -m pip install --quiet --disable-pip-version-check
LOCKED := $(PIP) --require-hashes
PACKAGES := repository iiif_server workers preservation web sample_book
CODE := $(PACKAGES) tests
# Four test processes for two cores, since tests wait for servers, time limits and disks. Each runs tests in their
# order, which shares fixtures, and takes over tests when it has none left.
PYTEST_ARGS ?= -n 4 --dist worksteal
# Unit tests wait for nothing, so a process for each core is fastest.
CHECK_ARGS ?= -n 2 --dist worksteal
# Debian's packages of the decoders with which tests compare the verdict on damaged masters.
DECODERS := libjpeg-turbo-progs libopenjp2-tools libtiff-tools pngcheck webp
# Debian's packages of the servers that tests start; the services that the packages themselves start are not used.
SERVERS := ceph-common ceph-mon ceph-osd nginx-light postgresql rabbitmq-server radosgw redis-server

.PHONY: demo check test lint chaos fuzz bench web lock lock-images clean help runtime test-tools ocr

help:
	@sed -n 's/^#   //p' Makefile

demo: runtime .make/reader .make/typeface
	scripts/demo.sh

check: lint
	$(PYTHON) -m pytest -m 'not (integration or browser or slow or alone)' $(CHECK_ARGS)

test: lint .make/viewers .make/witness
	scripts/debian-packages.sh chromium libmagic1 poppler-utils unzip fonts-noto-cjk $(DECODERS) $(SERVERS)
	$(PYTHON) -m pytest -m 'not alone' $(PYTEST_ARGS)
	$(PYTHON) -m pytest -m alone $$(grep -rlE --include='test_*.py' 'mark\.alone\b' tests)

lint: runtime test-tools .make/reader .make/typeface
	$(PYTHON) -m ruff check $(CODE)
	$(PYTHON) -m ruff format --check $(CODE)
	$(PYTHON) -m mypy
	.venv/bin/lint-imports
	cd web && npm run --silent check

chaos: runtime test-tools
	scripts/debian-packages.sh $(SERVERS)
	KILLED_WRITES=all $(PYTHON) -m pytest -s -o timeout=0 tests/integration/test_killed_keeping.py
	PYTHONPATH=tests/support $(PYTHON) tests/chaos/run.py

fuzz: runtime test-tools
	scripts/debian-packages.sh $(DECODERS)
	FUZZ_MASTERS=$${FUZZ_MASTERS:-1000} FUZZ_MINUTES=$${FUZZ_MINUTES:-10} FUZZ_SEED=$${FUZZ_SEED:-$$RANDOM} \
	  $(PYTHON) -m pytest -s -o timeout=0 tests/integration/test_fuzz.py \
	  tests/integration/test_damaged_masters.py
	PRESERVED_COMMANDS=99 $(PYTHON) -m pytest -o timeout=0 tests/workers/tasks/test_preserved_bytes.py

bench: runtime test-tools .make/peers
	scripts/debian-packages.sh nginx-light iipimage-server wrk time libvips-tools
	$(PYTHON) tests/bench/run.py

web: .make/reader

runtime: .make/runtime
test-tools: .make/test-tools .make/ocr
ocr: .make/ocr

lock: .make/runtime
	scripts/lock.sh

lock-images:
	scripts/lock-images.sh

clean:
	rm -rf .make build web/static/reader shanben.egg-info
	rm -rf web/node_modules sample_book/node_modules tests/browser/node_modules tests/bench/node_modules
	rm -rf .pytest_cache .mypy_cache .ruff_cache .import_linter_cache .hypothesis
	find $(CODE) scripts -name __pycache__ -type d -prune -exec rm -rf {} +

# A stamp is newer than everything its recipe depends on.

.venv/bin/python:
	scripts/venv.sh

.make/runtime: requirements.lock requirements-build.lock setup.cfg pyproject.toml | .venv/bin/python
	@mkdir -p .make
	@echo "安装 Python 软件包 / Installing Python packages"
	@$(LOCKED) --requirement requirements.lock --requirement requirements-build.lock
	@$(PIP) --no-deps --no-build-isolation --editable .
	@touch $@

.make/test-tools: requirements-test.lock .make/runtime
	@echo "安装测试用 Python 软件包 / Installing Python packages for the tests"
	@$(LOCKED) --requirement requirements-test.lock
	@touch $@

.make/ocr: requirements-ocr.lock .make/runtime
	@echo "安装文字识别（OCR）软件包 / Installing Python packages for OCR"
	@$(LOCKED) --requirement requirements-ocr.lock
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

.make/witness: tests/integration/independent-witness.lock scripts/independent-witness.sh
	@mkdir -p .make
	scripts/independent-witness.sh
	@touch $@

.make/peers: tests/bench/package.json tests/bench/package-lock.json
	@mkdir -p .make
	scripts/node-packages.sh tests/bench
	@touch $@

.make/typeface: sample_book/package.json sample_book/package-lock.json
	@mkdir -p .make
	scripts/node-packages.sh sample_book
	@touch $@
