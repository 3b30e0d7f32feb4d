"""What `shanben store restore` reports: the restored files, and what the log names and no store has."""

from __future__ import annotations

from repository.localized import LocalizedText
from repository.paths import LOG_CHECKPOINT
from web.cli.terminal import EXIT_CONTENT, Terminal
from web.messages.interface import MESSAGES
from workers.maintenance.restore_store import MissingContent, StoreRestored


def report_restored(terminal: Terminal, store: str, restored: StoreRestored) -> int:
    """Report a restore. Return the exit code: 1 when anything is missing."""
    for missing in restored.missing:
        terminal.write(_text(missing))
    for deleted in restored.deleted:
        details = {"work": deleted.work, "day": deleted.deleted[:10], "stores": ", ".join(deleted.stores)}
        terminal.write(MESSAGES["restore.deleted"].format(**details))
    numbers = {"files": restored.files, "works": restored.works, "entries": restored.entries}
    terminal.write(MESSAGES["restore.totals"].format(store=store, missing=len(restored.missing), **numbers))
    terminal.result(
        {
            "restored": restored.files,
            "works": restored.works,
            "log": restored.entries,
            "missing": [_document(terminal, missing) for missing in restored.missing],
            "deleted": [
                {"work": each.work, "deleted": each.deleted, "stores": list(each.stores)} for each in restored.deleted
            ],
        }
    )
    return EXIT_CONTENT if restored.missing else 0


def _text(missing: MissingContent) -> LocalizedText:
    if missing.reason:
        return MESSAGES["restore.missing-reason"].format(key=missing.key, reason=missing.reason)
    if missing.key == LOG_CHECKPOINT:
        return MESSAGES["restore.missing-log"].format(logged=missing.logged, stored=missing.stored)
    if missing.logged:
        numbers = {"logged": missing.logged, "stored": missing.stored}
        return MESSAGES["restore.missing-work"].format(work=missing.work, **numbers)
    return MESSAGES["restore.missing-file"].format(key=missing.key)


def _document(terminal: Terminal, missing: MissingContent) -> dict[str, object]:
    return {
        "work": missing.work,
        "key": missing.key,
        "logged": missing.logged,
        "stored": missing.stored,
        "remains": [{"kind": left.kind.value, "store": left.store, "key": left.key} for left in missing.remains],
        "reason": missing.reason.in_language(terminal.language) if missing.reason else None,
    }
