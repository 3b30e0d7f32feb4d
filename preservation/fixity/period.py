"""Within how many days every file of a store is checked, by the settings."""

from __future__ import annotations

from preservation.fixity.cadence import COLD_DAYS
from repository.config import Settings
from repository.storage.address import store_name
from repository.store_label import PRIMARY_LABEL


def period_days(settings: Settings, store: str) -> int:
    """Return the number of days within which every file of a store is checked; '' is the primary store."""
    names = {store} if store else {PRIMARY_LABEL, store_name(settings.store_url)}
    return COLD_DAYS if names & set(settings.cold_stores) else settings.fixity_days
