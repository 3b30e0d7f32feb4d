"""The settings of fixity checks by store: names, period, hours."""

from __future__ import annotations

from datetime import datetime

from preservation.fixity.cadence import Hours, local_time, next_due, parse_hours
from preservation.fixity.period import period_days
from repository.config import Settings
from repository.database.fixity_values import FixityUnit, day_of
from repository.database.store_registry import PRIMARY
from repository.errors import SettingInvalid
from repository.localized import LocalizedText
from repository.repository import Repository
from repository.storage.store import ObjectStore
from repository.store_label import PRIMARY_LABEL


def store_label(store: str) -> str:
    """Return the name of a store in findings: ``store`` for the primary, else the replica's name."""
    return store or PRIMARY_LABEL


def stores_of(repository: Repository) -> list[str]:
    """Return the names of all stores in the settings, the primary first."""
    return [PRIMARY, *repository.replicas]


def object_store(repository: Repository, store: str) -> ObjectStore:
    """Return the store with a name, '' for the primary."""
    return repository.replicas[store] if store else repository.store


def checking_hours(settings: Settings) -> Hours:
    """Return the hours in which checks run by themselves. Raises `SettingInvalid`."""
    hours = parse_hours(settings.fixity_hours)
    if hours is None:
        reason = LocalizedText("应形如 22-6", "it must read like 22-6")
        raise SettingInvalid(name="fixity_hours", reason=reason)
    return hours


def may_check_now(repository: Repository) -> bool:
    """Return whether checks may run by themselves now. Raises `SettingInvalid`."""
    return checking_hours(repository.settings).include(local_time(repository.clock()))


def due_after(settings: Settings, unit: FixityUnit, now: datetime) -> int:
    """Return the day on which a unit is due that is checked now."""
    name = f"{unit.store}/{unit.kind}/{unit.name}"
    return next_due(name, day_of(now), period_days(settings, unit.store))
