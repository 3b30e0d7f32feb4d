#!/bin/bash
# Pins every Python package: first requirements-test.lock, since the test packages have more constraints, then
# requirements.lock within it. Pins that still fit are kept; remove a line to update it.
set -euo pipefail

.venv/bin/python -m pip install --quiet --disable-pip-version-check 'pip-tools>=7.5,<8'
compile=(.venv/bin/pip-compile --quiet --strip-extras --no-annotate --no-header
  --no-emit-index-url --no-emit-find-links --no-emit-trusted-host)
"${compile[@]}" --extra test --output-file requirements-test.lock setup.cfg
"${compile[@]}" --constraint requirements-test.lock --output-file requirements.lock setup.cfg
