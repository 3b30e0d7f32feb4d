#!/bin/bash
# Pins every Python package with the hashes of its files: first requirements-test.lock, since the test packages have more
# constraints, then requirements.lock and
# requirements-ocr.lock, which adds those of OCR, within it, and requirements-build.lock for what builds this project. The pins are
# those for Python 3.11 and newer on every system; those of the independent witness that a test runs, for 3.12. Pins that still fit are kept; remove a line to update it.
set -euo pipefail

.venv/bin/python -m pip install --quiet --disable-pip-version-check 'uv>=0.9,<1'
compile=(.venv/bin/uv pip compile --quiet --no-config --no-annotate --no-header --generate-hashes
  --universal --python-version 3.11)
"${compile[@]}" --extra test --output-file requirements-test.lock setup.cfg
"${compile[@]}" --constraint requirements-test.lock --output-file requirements.lock setup.cfg
"${compile[@]}" --constraint requirements-test.lock --extra ocr --output-file requirements-ocr.lock setup.cfg
.venv/bin/python -c 'import tomllib; print(*tomllib.load(open("pyproject.toml", "rb"))["build-system"]["requires"], sep="\n")' |
  "${compile[@]}" --constraint requirements-test.lock --output-file requirements-build.lock -
echo 'aics-witness>=0.1,<0.2' |
  .venv/bin/uv pip compile --quiet --no-config --no-annotate --no-header --generate-hashes --universal \
    --python-version 3.12 --output-file tests/integration/independent-witness.lock -
