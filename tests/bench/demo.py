"""Seconds from `make demo` in a fresh clone to the first page, the package managers' caches being as they are."""

from __future__ import annotations

import os
import signal
import subprocess
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

from ports import reserve_port

PROJECT = Path(__file__).resolve().parents[2]
PATIENCE = 600


def main() -> None:
    """Print the row."""
    with tempfile.TemporaryDirectory(prefix="bench-demo-") as scratch:
        clone = Path(scratch) / "shanben"
        subprocess.run(["git", "clone", "--quiet", str(PROJECT), str(clone)], check=True)
        seconds = first_page(clone)
    print(f"demo, to the first page | a fresh clone, packages cached | {seconds:.0f} s | – | {seconds:.0f} s")


def first_page(clone: Path) -> float:
    """Start the demo, wait until the sample book's list is served, and stop it."""
    port = reserve_port()
    settings = {name: value for name, value in os.environ.items() if not name.startswith(("SHANBEN_", "MAKE"))}
    began = time.monotonic()
    demo = subprocess.Popen(
        ["make", "demo"],
        cwd=clone,
        env={**settings, "PORT": str(port)},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        start_new_session=True,
    )
    try:
        while not answers(f"http://127.0.0.1:{port}/works"):
            if demo.poll() is not None or time.monotonic() - began > PATIENCE:
                raise SystemExit("make demo did not come to its first page")
            time.sleep(0.2)
        return time.monotonic() - began
    finally:
        os.killpg(demo.pid, signal.SIGTERM)
        demo.wait(30)


def answers(address: str) -> bool:
    """Whether a page comes from there."""
    try:
        with urllib.request.urlopen(address, timeout=2) as page:
            return b"/works/w" in page.read()
    except (urllib.error.URLError, TimeoutError, ConnectionError):
        return False


if __name__ == "__main__":
    main()
