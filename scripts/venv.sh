#!/bin/bash
# Makes .venv with the first Python 3.11 or newer it finds. On Debian that needs the package python3-venv.
# The system's own comes first: it is kept up with the system, and built with its profile, which one that was built by
# hand often is not (tiles: a third more of the processor).
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
