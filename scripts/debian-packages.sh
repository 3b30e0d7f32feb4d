#!/bin/bash
# Installs the missing ones of the named Debian packages when run as root, and lists them otherwise. Missing packages are
# a failure where CI or REQUIRED is set, because tests would be skipped unnoticed.
set -euo pipefail

missing=()
for package in "$@"; do
  if ! dpkg-query --show --showformat='${db:Status-Status}\n' "$package" 2>/dev/null | grep -qx installed; then
    missing+=("$package")
  fi
done
[ ${#missing[@]} -eq 0 ] && exit 0

if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
  echo "安装 Debian 软件包 / Installing Debian packages: ${missing[*]}"
  export DEBIAN_FRONTEND=noninteractive
  install=(apt-get install --yes --quiet=2 --no-install-recommends "${missing[@]}")
  if "${install[@]}" >/dev/null 2>&1 || { apt-get update --quiet=2 && "${install[@]}" >/dev/null; }; then exit 0; fi
  echo "安装失败 / These could not be installed: ${missing[*]}" >&2
else
  echo "缺少 Debian 软件包（请以 root 安装）/ Debian packages are missing; as root: apt-get install ${missing[*]}" >&2
fi
if [ -n "${CI:-}${REQUIRED:-}" ]; then exit 3; fi
echo "依赖它们的测试将被略过 / Tests that need them will be skipped." >&2
