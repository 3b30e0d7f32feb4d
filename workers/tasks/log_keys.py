"""Makes a change of the log's keys known: to the log by events, and to the database."""

from __future__ import annotations

from preservation.log.log_keys import LogKeys, parse_log_keys
from preservation.log.readable import stated_size
from preservation.log.sequencer import load_signer
from preservation.log_events import key_event
from preservation.salt import prepare_salt
from repository.repository import Repository
from workers.tasks.log_events import occasion, stage


def replace_keys(repository: Repository, before: LogKeys, after: LogKeys) -> None:
    """Stage the events of a change of keys, then record the keys in the database.

    After a crash between the two it is repeated without effect on the events. The caller holds the lock of the keys.
    """
    now, size = occasion(repository), stated_size(repository.store)
    known = {each.key for each in before.keys}
    retired = {each.key for each in before.keys if each.retired is not None}
    events = [
        key_event(now, each.key.line(), change="added", size=size) for each in after.keys if each.key not in known
    ]
    events += [
        key_event(now, each.key.line(), change="retired", size=each.retired)
        for each in after.keys
        if each.retired is not None and each.key not in retired
    ]
    stage(repository, events)
    repository.log_sequence.replace_keys(after.name, after.text())


def finish_change(repository: Repository) -> None:
    """Make the keys of the key file known if they follow from the registered ones: a change of keys was interrupted.

    The caller holds the lock of the keys. Raises `DependencyMissing`, `SettingInvalid`.
    """
    registered = parse_log_keys(repository.log_sequence.verifier_keys() or "")
    held = load_signer(repository.settings).keys
    if held.name == registered.name and held.knows(registered) and not registered.knows(held):
        prepare_salt(repository, keeps_file=True)  # events need it
        replace_keys(repository, registered, held)
