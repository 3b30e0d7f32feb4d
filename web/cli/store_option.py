"""The option `--store` of several commands: a store by its name, as messages and tables give it."""

from __future__ import annotations

from collections.abc import Iterable

from repository.database.store_registry import PRIMARY
from repository.errors import SettingInvalid
from repository.localized import LocalizedText
from repository.repository import Repository
from repository.storage.address import store_name
from repository.store_label import PRIMARY_LABEL


def replica_named(repository: Repository, name: str | None) -> str:
    """Return the name of a replica as the repository knows it; '' for the primary store. Raises `SettingInvalid`."""
    if name is None or name in {PRIMARY_LABEL, store_name(repository.settings.store_url)}:
        return PRIMARY
    if name not in repository.replicas:
        raise unknown_store(name, repository.replicas)
    return name


def unknown_store(name: str, replicas: Iterable[str]) -> SettingInvalid:
    """Return the error for a name that no store has."""
    names = "、".join((PRIMARY_LABEL, *replicas)), ", ".join((PRIMARY_LABEL, *replicas))
    reason = LocalizedText(
        f"没有名为 {name} 的存储；可用的名称：{names[0]}", f"no store is named {name}; the names are: {names[1]}"
    )
    return SettingInvalid(name="--store", reason=reason)
