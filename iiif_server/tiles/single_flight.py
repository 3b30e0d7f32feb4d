"""Single-flight: of several threads that want the same at once, one reads it for all. (pure)"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import CancelledError, Future
from threading import Lock
from typing import Final, Generic, TypeVar

from repository.errors import ShanbenError, StoreFault
from repository.localized import LocalizedText

WAIT_SECONDS: Final = 30.0
"""How long a thread waits for another that reads the same bytes."""

AWAY: Final = LocalizedText("存储暂时没有应答", "the store does not answer just now")

Value = TypeVar("Value")


class SingleFlight(Generic[Value]):
    """Reads under way, by key and place: who asks for one of them joins it. Safe to use from many threads."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._under_way: dict[tuple[str, int], Future[Value]] = {}

    def join(self, key: str, place: int, read: Callable[[], Value]) -> Value:
        """What `read` gives or raises, to whichever thread it was that called it."""
        return self.join_all(key, [place], lambda _: [(place, read())])[0]

    def join_all(
        self, key: str, places: Sequence[int], read: Callable[[list[int]], Iterable[tuple[int, Value]]]
    ) -> list[Value]:
        """What lies at each of `places`: those that nobody reads yet are read by one call of `read`.

        `read` yields place and value as they come, so that others get theirs then; what it raises is the answer for
        all the places it has not yielded. Raises that, or what befell those who read the other places.
        """
        mine: dict[int, Future[Value]] = {}
        others: dict[int, Future[Value]] = {}
        with self._lock:
            for place in places:
                flight = self._under_way.get((key, place))
                if flight is None:
                    mine[place] = self._under_way[key, place] = Future()
                elif place not in mine:
                    others[place] = flight
        if mine:
            self._lead(key, mine, read)
        return [_result(key, mine[place] if place in mine else others[place]) for place in places]

    def _lead(
        self, key: str, mine: dict[int, Future[Value]], read: Callable[[list[int]], Iterable[tuple[int, Value]]]
    ) -> None:
        try:
            for place, value in read(list(mine)):
                mine[place].set_result(value)
        except ShanbenError as error:
            for flight in mine.values():
                if not flight.done():
                    flight.set_exception(error)
            raise
        finally:
            with self._lock:
                for place in mine:
                    del self._under_way[key, place]
            for flight in mine.values():
                flight.cancel()  # does nothing to one that has ended


def _result(key: str, flight: Future[Value]) -> Value:
    try:
        return flight.result(WAIT_SECONDS)
    except (TimeoutError, CancelledError) as fault:
        raise StoreFault(key=key, reason=AWAY) from fault
