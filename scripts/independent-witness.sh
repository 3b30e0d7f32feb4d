#!/bin/bash
# Installs an independent implementation of C2SP tlog-witness into .make/independent-witness, for the test that our log
# and the witnesses of others understand each other. It needs Python 3.12 or newer; without one, the test is left out.
set -euo pipefail

suitable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 12))' 2>/dev/null; }

target=.make/independent-witness
for candidate in ${PYTHON312:-} python3 python3.12 python3.13 python3.14; do
  if suitable "$candidate"; then python=$candidate && break; fi
done
if [ -z "${python:-}" ]; then
  echo "未找到 Python 3.12，独立见证方的测试从略 / Python 3.12 is absent: the test with an independent witness is left out" >&2
  exit 0
fi
echo "安装独立见证方 / Installing an independent witness"
rm -rf "$target"
"$python" -m venv "$target"
"$target/bin/python" -m pip install --quiet --disable-pip-version-check --require-hashes \
  --requirement tests/integration/independent-witness.lock
