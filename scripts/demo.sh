#!/bin/bash
# Makes the sample book once, ingests it (repeating that changes nothing), and serves it until Ctrl+C.
set -euo pipefail

shanben=.venv/bin/shanben
book=build/sample-book

if [ ! -d "$book" ]; then
  rm -rf "$book.unfinished"
  mkdir -p build
  "$shanben" sample "$book.unfinished" > /dev/null
  mv "$book.unfinished" "$book"
fi
"$shanben" init
host=${HOST:-127.0.0.1}
port=${PORT:-8000}
# The base URL is set for the addresses that ingest prints; the server uses that of the request.
SHANBEN_BASE_URL=${SHANBEN_BASE_URL:-http://$host:$port} "$shanben" ingest "$book"
exec "$shanben" serve --host "$host" --port "$port"
