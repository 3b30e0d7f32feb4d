"""The program of the local worker's process, which loads the worker quickly."""

from __future__ import annotations

from repository.loading import loading


def main() -> None:
    """Load the local worker and run it."""
    with loading():
        from workers.service.local_worker import main as run  # noqa: PLC0415 - loaded while the collector is off
    run()


if __name__ == "__main__":
    main()
