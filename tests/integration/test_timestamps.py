"""The commands of timestamps, with OpenSSL's own authority, and OpenSSL's verdict on what they write."""

from __future__ import annotations

from pathlib import Path

from command_line import ShanbenHere
from log_scenarios import publication, publish
from timestamp_authority import TimestampAuthority, openssl

from preservation.log.sequencer import record_events
from repository.config import Settings
from workers.bootstrap import bootstrap


def test_evidence_of_a_timestamped_log_is_verified_by_openssl_alone(tmp_path: Path) -> None:
    authority = TimestampAuthority(tmp_path / "authority")
    repository = bootstrap(Settings(data=tmp_path / "var"))
    publish(repository, "one")
    record_events(repository)
    shanben = ShanbenHere(tmp_path)
    assert shanben.run("log", "timestamp").code == 3
    with authority.served() as url:
        made = shanben.run_json("log", "timestamp", tsa=url, tsa_certificates=authority.roots)
    assert made.code == 0, made.errors
    assert (made.document["size"], made.document["trusted"]) == (3, True)

    image, file, folder = str(publication("one").events[0].image), tmp_path / "evidence", tmp_path / "extracted"
    assert shanben.run("log", "prove", image, "-o", file).code == 0
    checked = shanben.run_json("log", "check", file, "--roots", authority.roots, "--extract", folder)
    assert checked.code == 0, checked.errors
    assert checked.document["timestamp"] == {name: made.document[name] for name in ("authority", "time", "trusted")}
    response, text = folder / "timestamp.tsr", folder / "checkpoint.txt"
    openssl("ts", "-verify", "-data", text, "-in", response, "-CAfile", authority.roots)

    verified = shanben.run_json("log", "verify")
    assert (verified.code, [each["size"] for each in verified.document["timestamps"]]) == (0, [3])
    other = TimestampAuthority(tmp_path / "other", "Other")
    assert shanben.run("log", "check", file, "--roots", other.roots).code == 1
