#!/bin/bash
# Creates .venv with the first Python 3.11 or newer it finds, which on Debian needs the package python3-venv. The system's
# Python comes first: it gets the system's updates, and is built with profile-guided optimization, without which serving a
# tile takes a third more CPU time.
set -euo pipefail

suitable() { "$1" -c 'import sys; sys.exit(sys.version_info < (3, 11))' 2>/dev/null; }

for candidate in ${PYTHON3:-} /usr/bin/python3 python3 python3.11 python3.12 python3.13; do
  if suitable "$candidate"; then python=$candidate && break; fi
done
if [ -z "${python:-}" ]; then
  echo "需要 Python 3.11 或更新版本 / Python 3.11 or newer is needed; this machine's python3 is: $(python3 --version 2>&1 || true)" >&2
  echo "另行安装后请用 make PYTHON3=/path/to/python3.11 / install one, or name it: PYTHON3=/path/to/python3.11 make ..." >&2
  exit 3
fi

if ! "$python" -c 'import ensurepip, venv' 2>/dev/null; then
  REQUIRED=1 scripts/debian-packages.sh python3-venv
fi
"$python" -m venv .venv
