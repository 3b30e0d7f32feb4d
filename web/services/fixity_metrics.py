"""The metrics of fixity checks: what is stored, checked, due and damaged, by store; from totals, never by counting."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime

from prometheus_client import Metric
from prometheus_client.core import GaugeMetricFamily

from repository.repository import Repository
from workers.tasks.fixity_plan import totals_of
from workers.tasks.fixity_settings import store_label, stores_of


def fixity_metrics(repository: Repository) -> Iterator[Metric]:
    """Yield the metrics. Raises `DatabaseFault`."""
    yield from _totals(repository)
    findings = GaugeMetricFamily("shanben_fixity_findings", "Open findings.", labels=["store", "kind"])
    for (store, kind), count in repository.findings.counts(stores_of(repository)).items():
        findings.add_metric([store_label(store), kind], count)
    yield findings
    yield from _sweeps(repository)


def _totals(repository: Repository) -> Iterator[Metric]:
    labels = ["store", "class"]
    families = {
        "files": GaugeMetricFamily("shanben_fixity_files", "Stored files.", labels=labels),
        "bytes": GaugeMetricFamily("shanben_fixity_bytes", "Bytes of stored files.", labels=labels),
        "never": GaugeMetricFamily("shanben_fixity_never_checked", "Files never checked.", labels=labels),
        "due": GaugeMetricFamily("shanben_fixity_due", "Files that are due for a check.", labels=labels),
        "late": GaugeMetricFamily("shanben_fixity_late", "Files that have been due for long.", labels=labels),
    }
    oldest = GaugeMetricFamily(
        "shanben_fixity_oldest_check_seconds", "Day of the oldest last check of a file.", labels=labels
    )
    for totals in totals_of(repository, stores_of(repository)):
        names = [store_label(totals.store), totals.category.name.lower()]
        for name, family in families.items():
            family.add_metric(names, getattr(totals, name))
        if totals.oldest:
            oldest.add_metric(names, datetime.fromisoformat(totals.oldest).replace(tzinfo=UTC).timestamp())
    yield from (*families.values(), oldest)


def _sweeps(repository: Repository) -> Iterator[Metric]:
    ended = GaugeMetricFamily("shanben_fixity_sweep_seconds", "When the last sweep ended.", labels=["store"])
    size = GaugeMetricFamily("shanben_fixity_sweep_bytes", "Bytes that the last sweep read.", labels=["store"])
    for sweep in filter(None, map(repository.sweeps.last_ended, stores_of(repository))):
        ended.add_metric([store_label(sweep.store)], _seconds(sweep.ended or sweep.started))
        size.add_metric([store_label(sweep.store)], sweep.bytes)
    canary = GaugeMetricFamily("shanben_fixity_canary_seconds", "When canaries were checked last.", labels=["store"])
    missed = GaugeMetricFamily("shanben_fixity_canaries_missed", "Canaries that were missed.", labels=["store"])
    for sweep in repository.sweeps.last_canaries(stores_of(repository)):
        canary.add_metric([store_label(sweep.store)], _seconds(sweep.started))
        missed.add_metric([store_label(sweep.store)], sweep.canaries_missed)
    yield from (ended, size, canary, missed)


def _seconds(time: str) -> float:
    return datetime.fromisoformat(time).timestamp()
