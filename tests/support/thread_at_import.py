"""A module that starts a thread when it is imported, as some numerical libraries do."""

from __future__ import annotations

import threading
import time

threading.Thread(target=time.sleep, args=(60,), daemon=True).start()


def answer() -> int:
    """Return a number."""
    return 42
