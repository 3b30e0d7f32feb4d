"""Questions to stores that may not answer: each is asked in a thread of its own, and its caller limits the wait.

The status and the metrics ask whether the stores are recognised (`preservation/store_identity.py`).
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping
from functools import partial
from typing import Generic, TypeVar

from preservation.store_identity import StoreNotRecognised, verify_primary, verify_replica
from repository.database.store_registry import PRIMARY
from repository.errors import ShanbenError
from repository.repository import Repository

_Answer = TypeVar("_Answer")


class StoreProbe(Generic[_Answer]):
    """Asks one question again and again, with at most one thread waiting for the store. `ask` raises nothing.

    The thread is a daemon, so that a silent store does not keep the process from ending.
    """

    def __init__(self, name: str, ask: Callable[[], _Answer], no_answer: _Answer) -> None:
        self._name = name
        self._ask = ask
        self._no_answer = no_answer
        self._lock = threading.Lock()
        self._thread: threading.Thread | None = None
        self._answers: list[_Answer] = []

    def start(self) -> Callable[[float], _Answer]:
        """Ask, unless an earlier question is not answered yet.

        Return a function that waits for the answer at most the given seconds, and returns it or `no_answer`.
        """
        with self._lock:
            if self._thread is None or not self._thread.is_alive():
                self._answers = answers = []
                self._thread = threading.Thread(
                    target=lambda: answers.append(self._ask()), name=self._name, daemon=True
                )
                self._thread.start()
            return partial(self._wait, self._thread, self._answers)

    def _wait(self, thread: threading.Thread, answers: list[_Answer], seconds: float) -> _Answer:
        thread.join(seconds)
        return answers[0] if answers else self._no_answer


class StoreProbes:
    """Asks all stores of a repository whether they are recognised; safe to use from several threads."""

    def __init__(self, repository: Repository) -> None:
        questions = {PRIMARY: partial(verify_primary, repository)}
        questions |= {name: partial(verify_replica, repository, name) for name in repository.replicas}
        self._probes = {name: StoreProbe(f"store {name}", partial(_ask, ask), None) for name, ask in questions.items()}

    def read(self, timeout: float) -> Mapping[str, StoreNotRecognised | bool | None]:
        """Return for each store, '' for the primary: True if it is recognised, the fault if not, None if unknown.

        Waits at most `timeout` seconds in total.
        """
        deadline = time.monotonic() + timeout
        answers = {name: probe.start() for name, probe in self._probes.items()}
        return {name: answer(max(0.0, deadline - time.monotonic())) for name, answer in answers.items()}


def _ask(question: Callable[[], None]) -> StoreNotRecognised | bool | None:
    try:
        question()
    except StoreNotRecognised as fault:
        return fault
    except ShanbenError:
        return None
    return True
