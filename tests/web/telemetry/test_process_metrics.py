"""Metrics of web processes: in one process, and shared by real child processes."""

from __future__ import annotations

import contextlib
import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from metrics_process import MetricsProcess, metrics_text
from prometheus_client.parser import text_string_to_metric_families

from web.telemetry.process_metrics import ProcessMetrics

Samples = dict[tuple[str, frozenset[tuple[str, str]]], float]

Start = Callable[[], MetricsProcess]


@pytest.fixture
def start(tmp_path: Path) -> Iterator[Start]:
    with contextlib.ExitStack() as stack:
        yield lambda: stack.enter_context(MetricsProcess(tmp_path))


def parse(text: str) -> Samples:
    return {
        (sample.name, frozenset(sample.labels.items())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def value(samples: Samples, name: str, **labels: str) -> float:
    return samples[name, frozenset(labels.items())]


def requests(samples: Samples, request_class: str = "info") -> float:
    return value(samples, "shanben_requests_total", lane=request_class, status="2xx")


def observe(process: MetricsProcess, request_class: str = "info", seconds: float = 0.1, sent: int = 7) -> None:
    process.call("observe_request", request_class, 200, seconds, sent)


def fill(metrics: ProcessMetrics) -> None:
    metrics.observe_request("stored", 200, 0.0004, 20_000)
    metrics.observe_request("stored", 200, 0.003, 10)
    metrics.observe_request("refused", 404, 40.0, 5)
    metrics.increment("decode-seconds", 0.25)
    metrics.increment("store-bytes", 20_001)
    metrics.increment("cache-hit")
    metrics.register_gauge("store-breaker-open", lambda: 1.0)
    metrics.register_gauge("slow-waiting", lambda: 2.0)
    metrics.register_gauge("slow-waiting", lambda: 3.0)


def check_filled(samples: Samples) -> None:
    assert requests(samples, "stored") == 2
    assert value(samples, "shanben_requests_total", lane="refused", status="4xx") == 1
    assert value(samples, "shanben_sent_bytes_total", lane="stored") == 20_010
    assert value(samples, "shanben_sent_bytes_total", lane="page") == 0
    assert value(samples, "shanben_store_read_bytes_total") == 20_001
    buckets = [
        value(samples, "shanben_request_seconds_bucket", lane="stored", le=end) for end in ("0.0005", "0.0025", "0.005")
    ]
    assert buckets == [1, 1, 2]
    assert value(samples, "shanben_request_seconds_count", lane="stored") == 2
    assert value(samples, "shanben_request_seconds_sum", lane="stored") == pytest.approx(0.0034)
    assert value(samples, "shanben_request_seconds_bucket", lane="refused", le="30.0") == 0
    assert value(samples, "shanben_request_seconds_bucket", lane="refused", le="+Inf") == 1
    assert value(samples, "shanben_decode_seconds_total") == 0.25
    assert value(samples, "shanben_tile_cache_hits_total") == 1
    assert value(samples, "shanben_tile_cache_misses_total") == 0
    assert value(samples, "shanben_fuses_blown", part="store") == 1
    assert value(samples, "shanben_fuses_blown", part="database") == 0
    assert value(samples, "shanben_slow_requests", state="waiting") == 5


def test_metrics_of_one_process_are_counted_in_memory() -> None:
    metrics = ProcessMetrics()
    fill(metrics)
    samples = parse(metrics_text(metrics))
    check_filled(samples)
    assert value(samples, "shanben_process_start_time_seconds", pid=str(os.getpid())) > 1_700_000_000
    assert not [name for name, _ in samples if name.endswith("_created")]


def test_series_of_one_process_and_of_several_are_the_same(start: Start) -> None:
    def names(samples: Samples) -> set[tuple[str, frozenset[tuple[str, str]]]]:
        return {(name, labels) for name, labels in samples if name != "shanben_process_start_time_seconds"}

    assert names(parse(start().scrape())) == names(parse(metrics_text(ProcessMetrics())))


def test_damage_is_counted_and_reported() -> None:
    reports: list[tuple[str, ...]] = []
    metrics = ProcessMetrics(lambda *report: reports.append(report))
    metrics.report_damage("image", "work", "checksum")
    assert reports == [("image", "work", "checksum")]
    assert value(parse(metrics_text(metrics)), "shanben_pyramids_damaged_total") == 1


def test_every_process_reports_the_sums_of_all(start: Start) -> None:
    first, second = start(), start()
    observe(first, "info", seconds=0.1, sent=7)
    observe(second, "info", seconds=0.3, sent=8)
    first.call("increment", "cache-hit", 2)
    second.call("increment", "cache-hit", 3)
    first.set_gauge("slow-waiting", 1)
    second.set_gauge("slow-waiting", 2)
    for process in (first, second):
        samples = parse(process.scrape())
        assert requests(samples) == 2
        assert value(samples, "shanben_request_seconds_sum", lane="info") == pytest.approx(0.4)
        assert value(samples, "shanben_request_seconds_count", lane="info") == 2
        assert value(samples, "shanben_sent_bytes_total", lane="info") == 15
        assert value(samples, "shanben_tile_cache_hits_total") == 5
        assert value(samples, "shanben_slow_requests", state="waiting") == 3
        started = {dict(labels)["pid"] for name, labels in samples if name == "shanben_process_start_time_seconds"}
        assert started == {str(first.pid), str(second.pid)}


def test_counts_of_a_killed_process_remain_and_its_gauges_end(start: Start) -> None:
    processes = [start() for _ in range(3)]
    for process in processes:
        observe(process, "slow", sent=7)
        process.set_gauge("slow-running", 1)
    processes[0].kill()
    for process in (processes[1], processes[2], processes[1]):
        samples = parse(process.scrape())
        assert requests(samples, "slow") == 3
        assert value(samples, "shanben_sent_bytes_total", lane="slow") == 21
        assert value(samples, "shanben_request_seconds_bucket", lane="slow", le="0.1") == 3
        assert value(samples, "shanben_request_seconds_bucket", lane="slow", le="0.05") == 0
        assert value(samples, "shanben_request_seconds_count", lane="slow") == 3
        assert value(samples, "shanben_slow_requests", state="running") == 2
        assert sum(name == "shanben_process_start_time_seconds" for name, _ in samples) == 2


def test_counters_continue_when_all_processes_are_replaced(start: Start, tmp_path: Path) -> None:
    for round_number in range(1, 6):
        process = start()
        observe(process, seconds=0.1)
        assert requests(parse(process.scrape())) == round_number
        process.kill()
    samples = parse(start().scrape())
    assert requests(samples) == 5
    assert value(samples, "shanben_request_seconds_count", lane="info") == 5
    assert value(samples, "shanben_request_seconds_sum", lane="info") == pytest.approx(0.5)
    assert len([path for path in (tmp_path / "metrics").rglob("*") if path.is_file()]) == 7


def test_counting_restarts_in_a_folder_that_was_deleted(start: Start, tmp_path: Path) -> None:
    process = start()
    observe(process)
    for path in (tmp_path / "metrics").iterdir():
        path.unlink()
    process.call("_rejoin")
    observe(process)
    assert requests(parse(process.scrape())) == 1
    assert requests(parse(start().scrape())) == 1


def test_process_counts_alone_when_the_folder_cannot_be_created(start: Start, tmp_path: Path) -> None:
    (tmp_path / "metrics").write_text("a file")
    process = start()
    observe(process)
    assert requests(parse(process.scrape())) == 1


def test_process_reports_its_own_counts_when_the_folder_becomes_unusable(start: Start, tmp_path: Path) -> None:
    process = start()
    observe(process)
    (tmp_path / "metrics").rename(tmp_path / "gone")
    (tmp_path / "metrics").write_text("a file")
    assert requests(parse(process.scrape())) == 1


@pytest.mark.alone
def test_bookkeeping_of_a_tile_is_cheap(tmp_path: Path) -> None:
    """One count, one duration and one size, in multiprocess mode: processor time, in seconds."""
    script = """
import sys, time, timeit
from pathlib import Path
from repository.config import Settings
from web.telemetry.process_metrics import ProcessMetrics, prepare

metrics = ProcessMetrics(None, prepare(Settings(data=Path(sys.argv[1]))))
timer = timeit.Timer(lambda: metrics.observe_request("stored", 200, 0.0004, 20_000), timer=time.process_time)
print(min(timer.repeat(repeat=50, number=1000)) / 1000)
"""
    command = [sys.executable, "-c", script, str(tmp_path)]
    done = subprocess.run(command, capture_output=True, text=True, check=True, timeout=60)
    assert float(done.stdout) < 8e-6
