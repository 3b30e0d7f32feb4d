#!/bin/bash
# The sample book: made once, ingested (again changes nothing), served until Ctrl+C.
set -euo pipefail

shanben=.venv/bin/shanben
book=build/sample-book

if [ ! -d "$book" ]; then
  rm -rf "$book.unfinished"
  mkdir -p build
  "$shanben" sample "$book.unfinished"
  mv "$book.unfinished" "$book"
fi
"$shanben" init
"$shanben" ingest "$book"
exec "$shanben" serve --host "${HOST:-127.0.0.1}" --port "${PORT:-8000}"
