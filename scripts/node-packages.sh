#!/bin/bash
# Installs the npm packages that a folder's package-lock.json pins.
set -euo pipefail

if ! command -v npm >/dev/null || ! node -e 'process.exit(parseInt(process.versions.node) < 20 ? 1 : 0)'; then
  echo "需要 Node.js 20 或更新版本及 npm / Node.js 20 or newer, with npm, is needed for $1" >&2
  exit 3
fi
echo "安装 npm 软件包 / Installing npm packages: $1"
cd "$1"
npm ci --no-audit --no-fund --loglevel=error
