"""The task that checks some units of files for a sweep.

Each unit is held in the database while it is checked, so that no two processes read the same files. Results are
recorded in small transactions: after a crash the job goes on with the units that are not recorded. A unit that cannot
be checked is recorded as not checked, with the reason, and the next one is checked: one bad object stops nothing. Only
a store that is away stops the job, which is retried.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Collection, Mapping, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from typing import Any, Final, ParamSpec, TypeVar

from preservation.fixity.store_check import THREADS
from repository.database.fixity_values import FixityUnit, UnitCheck
from repository.database.outbox import Job
from repository.errors import DatabaseFault, ShanbenError, StoreFault
from repository.repository import Repository
from repository.storage.folder import FolderStore
from repository.storage.store import ObjectStore
from workers.execution.context import TaskContext
from workers.tasks.fixity_settings import may_check_now, object_store
from workers.tasks.fixity_units import UnitChecker
from workers.tasks.jobs import SCHEDULED

_Arguments = ParamSpec("_Arguments")
_Value = TypeVar("_Value")

_FLUSH_SECONDS: Final = 2.0
_FLUSH_UNITS: Final = 32
_WAIT_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.5


def check_files(context: TaskContext, job: Job) -> Mapping[str, object]:
    """Run a job of kind ``fixity-part``: check the units `units` of `store` for `sweep`.

    Raises `StoreFault` when the store is away, and `DatabaseFault`.
    """
    repository, store = context.repository, job.arguments["store"]
    if store and store not in repository.replicas:
        return {"checked": 0}
    part = _Part(repository, job)
    with executor_for(object_store(repository, store)) as executor:
        checker = UnitChecker(repository, store, executor, part.on_progress)
        part.run(checker)
    return {"checked": part.checked}


class CallingThread(Executor):
    """Runs calls one after another in the thread that submits them."""

    def submit(self, fn: Callable[_Arguments, _Value], /, *args: _Arguments.args, **kwargs: _Arguments.kwargs) -> Any:
        """Return the future of a call that has ended."""
        future: Future[_Value] = Future()
        try:
            future.set_result(fn(*args, **kwargs))
        except ShanbenError as fault:
            future.set_exception(fault)
        return future


def executor_for(store: ObjectStore) -> Executor:
    """Return what reads the files of a store in one process.

    A folder is read in one thread, which hashes as fast as a processor can: more processes are faster, and more threads
    would take the processors from those that serve. A remote store has to be waited for, in `THREADS` threads.
    """
    return CallingThread() if isinstance(store, FolderStore) else ThreadPoolExecutor(THREADS)


class _Part:
    """One run of the job: what it holds, and the results that it has not recorded yet."""

    def __init__(self, repository: Repository, job: Job) -> None:
        self.checked = 0
        self._repository = repository
        self._records = repository.fixity
        self._holder = job.key
        self._sweep = int(job.arguments["sweep"])
        self._is_scheduled = job.arguments["scope"] == SCHEDULED
        self._units = [int(number) for number in job.arguments["units"].split(",")]
        self._throttle = Throttle(int(job.arguments["limit"]))
        self._lease = repository.settings.lease_seconds
        self._results: list[UnitCheck] = []
        self._flushed = self._renewed = time.monotonic()
        self._lock = threading.Lock()

    def run(self, checker: UnitChecker) -> None:
        """Check every unit that the sweep has not checked, as long as the sweep goes on."""
        deadline = time.monotonic() + _WAIT_SECONDS
        while (units := self._waiting()) and self._goes_on():
            held = self._hold([unit.id for unit in units])
            self._check_all(checker, [unit for unit in units if unit.id in held])
            if len(held) == len(units) or time.monotonic() > deadline:
                break
            time.sleep(_POLL_SECONDS)
        self._records.release(self._units, self._holder)

    def on_progress(self, count: int) -> None:
        """Count bytes that were read: keep to the limit, and keep what is held."""
        self._throttle(count)
        with self._lock:
            if time.monotonic() - self._renewed < self._lease / 4:
                return
            self._renewed = time.monotonic()
        self._hold(self._units)

    def _waiting(self) -> list[FixityUnit]:
        return [unit for unit in self._records.units(self._units) if unit.sweep < self._sweep]

    def _goes_on(self) -> bool:
        sweep = self._repository.sweeps.get(self._sweep)
        return bool(sweep and not sweep.ended) and (not self._is_scheduled or may_check_now(self._repository))

    def _hold(self, units: Collection[int]) -> set[int]:
        return self._records.hold(units, self._holder, self._repository.clock(), self._lease)

    def _check_all(self, checker: UnitChecker, units: Sequence[FixityUnit]) -> None:
        for unit in units:
            self._check(checker, unit)
            is_due = time.monotonic() - self._flushed > _FLUSH_SECONDS
            if is_due or len(self._results) >= _FLUSH_UNITS:
                self._flush()
                if not self._goes_on():
                    return
        self._flush()

    def _check(self, checker: UnitChecker, unit: FixityUnit) -> None:
        try:
            result = checker.check(unit, self._sweep)
        except (DatabaseFault, StoreFault):
            self._flush()
            raise
        except ShanbenError as fault:
            result = checker.unchecked(unit, self._sweep, fault.message)
        if result is None:
            self._records.forget([unit.id])
        else:
            self._results.append(result)
            self.checked += 1

    def _flush(self) -> None:
        if self._results:
            self._records.record_checks(self._results)
        self._results = []
        self._flushed = time.monotonic()


class Throttle:
    """Keeps what the threads of one process read to `limit` bytes a second; 0 is no limit."""

    def __init__(self, limit: int) -> None:
        self._limit = limit
        self._next = time.monotonic()
        self._lock = threading.Lock()

    def __call__(self, count: int) -> None:
        """Wait until `count` more bytes may be read."""
        if not self._limit:
            return
        with self._lock:
            self._next = max(self._next, time.monotonic()) + count / self._limit
            pause = self._next - time.monotonic()
        if pause > 0:
            time.sleep(pause)
