"""`Repository` bundles settings, stores, database and clock. A process builds one and passes it to its functions."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from repository.clock import Clock, system_clock
from repository.config import Settings
from repository.database.accounts import Accounts, AccountSessions
from repository.database.catalogue import Catalogue
from repository.database.changes import ChangeFeed
from repository.database.deletions import Deletions
from repository.database.engine import is_postgresql, migrate, open_database, sessions_of
from repository.database.fixity import FixityRecords
from repository.database.fixity_findings import FixityFindings
from repository.database.fixity_sweeps import FixitySweeps
from repository.database.harvest import Harvests
from repository.database.holdings import Holdings
from repository.database.locks import Locks, open_locks
from repository.database.log_sequence import LogSequence
from repository.database.login_failures import LoginFailures
from repository.database.lost_works import LostWorks
from repository.database.outbox import Jobs
from repository.database.partner_tokens import PartnerTokens
from repository.database.replica_status import ReplicaStatus
from repository.database.report_store import Reports
from repository.database.search import SearchRecords
from repository.database.store_registry import StoreRegistry
from repository.errors import Busy
from repository.localized import LocalizedText
from repository.storage.lock_files import hold_lock_file
from repository.storage.s3 import memory_store
from repository.storage.store import ObjectStore, open_replicas, open_store

_WAIT_SECONDS: Final = 60.0


@dataclass(frozen=True, slots=True)
class Repository:
    """The settings, stores and database of one installation. Nothing in it is global; a process may have several."""

    settings: Settings
    store: ObjectStore
    catalogue: Catalogue
    log_sequence: LogSequence
    jobs: Jobs
    clock: Clock
    locks: Locks
    replica_status: ReplicaStatus
    replicas: Mapping[str, ObjectStore]
    stores: StoreRegistry
    accounts: Accounts
    account_sessions: AccountSessions
    login_failures: LoginFailures
    fixity: FixityRecords
    findings: FixityFindings
    sweeps: FixitySweeps
    holdings: Holdings
    reports: Reports
    lost_works: LostWorks
    deletions: Deletions
    partner_tokens: PartnerTokens
    harvests: Harvests
    changes: ChangeFeed
    search: SearchRecords


def open_repository(settings: Settings, clock: Clock = system_clock) -> Repository:
    """Return the repository of `settings`, its tables migrated. Raises `DatabaseFault`, `StoreFault`, `Busy`.

    Where the data folder cannot be written, the repository can be read: nothing is migrated, and no lock is needed.
    """
    if settings.is_read_only:
        return _build(settings, settings.database_url, open_store(settings), clock)
    # Processes that start together must not migrate the same tables.
    with hold_lock_file(
        settings.data / "database.lock",
        _WAIT_SECONDS,
        Busy(what=LocalizedText("数据库的升级", "the database migration")),
    ):
        return _build(settings, settings.database_url, open_store(settings), clock)


def memory_repository(settings: Settings | None = None, clock: Clock = system_clock) -> Repository:
    """Return a repository in memory for tests and trials: the same classes on the memory store."""
    return _build(settings or Settings(), "sqlite://", memory_store(), clock)


def _build(settings: Settings, database_url: str, store: ObjectStore, clock: Clock) -> Repository:
    engine = open_database(database_url, read_only=settings.is_read_only)
    migrate(engine)
    sessions = sessions_of(engine)
    log_sequence = LogSequence(sessions, shared=is_postgresql(engine))
    locks = open_locks(engine, settings.data / "locks")
    catalogue, jobs, replica_status = Catalogue(sessions, clock), Jobs(sessions, clock), ReplicaStatus(sessions)
    replicas, stores = open_replicas(settings), StoreRegistry(sessions)
    return Repository(
        settings,
        store,
        catalogue,
        log_sequence,
        jobs,
        clock,
        locks,
        replica_status,
        replicas,
        stores,
        Accounts(sessions, clock),
        AccountSessions(sessions, clock),
        LoginFailures(sessions, clock),
        FixityRecords(sessions),
        FixityFindings(sessions),
        FixitySweeps(sessions),
        Holdings(sessions),
        Reports(sessions),
        LostWorks(sessions),
        Deletions(sessions),
        PartnerTokens(sessions, clock),
        Harvests(sessions),
        ChangeFeed(sessions, clock),
        SearchRecords(sessions, clock),
    )
