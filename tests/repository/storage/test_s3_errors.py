from __future__ import annotations

import pytest

from repository.errors import KeyNotFound, StoreDenied, StoreFault, StoreFull
from repository.storage.s3_errors import fault_of_report, fault_of_response


@pytest.mark.parametrize(
    ("code", "status", "kind", "transient"),
    [
        ("NoSuchKey", 404, KeyNotFound, False),
        ("", 404, KeyNotFound, False),
        ("NoSuchBucket", 404, StoreDenied, False),
        ("NoSuchUpload", 404, StoreFault, True),
        ("SignatureDoesNotMatch", 403, StoreDenied, False),
        ("RequestTimeTooSkewed", 403, StoreDenied, False),
        ("", 403, StoreDenied, False),
        ("", 401, StoreDenied, False),
        ("QuotaExceeded", 403, StoreFull, True),
        ("XMinioStorageFull", 507, StoreFull, True),
        ("", 507, StoreFull, True),
        ("XAmzContentSHA256Mismatch", 400, StoreFault, True),
        ("SlowDown", 503, StoreFault, True),
        ("InternalError", 500, StoreFault, True),
    ],
)
def test_responses_become_faults_of_their_kind(code: str, status: int, kind: type[StoreFault], transient: bool) -> None:
    report = (
        f"Generic S3 error: Error performing PUT http://gateway/b/k in 2ms - Server returned non-2xx status code: "
        f"{status} Reason: <Error><Code>{code}</Code><Message>m</Message></Error>\n\nDebug source:\nGeneric {{"
    )
    for fault in (
        fault_of_response("k", code, status),
        fault_of_report("k", report if code else report.partition("<")[0]),
    ):
        assert type(fault) is kind
        assert fault.transient is transient
        assert "Debug" not in str(fault)
        assert "http://" not in str(fault)


@pytest.mark.parametrize(
    ("report", "words"),
    [
        ("error sending request\n\nkind: Connect,", "cannot be reached"),
        ("error sending request\n\nkind: Timeout,", "did not respond in time"),
        ("HTTP error: error decoding response body\n\nkind: Decode", "cannot be reached"),
        ("Something quite new\n\nDebug source", "Something quite new"),
    ],
)
def test_network_errors_are_reported_in_one_line(report: str, words: str) -> None:
    fault = fault_of_report("k", report)
    assert fault.transient
    assert words in str(fault)
    assert "\n" not in str(fault)
