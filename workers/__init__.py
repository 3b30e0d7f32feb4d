"""When things happen: deposits, ingest, tiling and the jobs that carry them."""
