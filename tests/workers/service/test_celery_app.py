from __future__ import annotations

import pytest

from repository.config import Settings
from repository.errors import SettingInvalid
from workers.service.celery_app import create_celery


@pytest.mark.parametrize("address", ["http://x", "nonsense", "redis", "redis:/x", "://x", "redis://x:port/0"])
def test_what_is_no_address_of_a_broker_is_told_with_what_one_reads_like(address: str) -> None:
    with pytest.raises(SettingInvalid) as refusal:
        create_celery(Settings(broker=address))
    message = refusal.value.message
    for words in (message.zh, message.en):
        assert all(part in words for part in ("SHANBEN_BROKER", "redis://", "amqp://"))


@pytest.mark.parametrize(
    "address",
    [
        "redis://:secret@127.0.0.1:1/0",
        "rediss://127.0.0.1:1",
        "redis+socket:///run/redis.sock",
        "sentinel://127.0.0.1:1;sentinel://127.0.0.1:2",
        "amqp://guest:guest@127.0.0.1:1//",
        "memory://",
    ],
)
def test_addresses_of_brokers_are_taken_and_nothing_is_called(address: str) -> None:
    create_celery(Settings(broker=address))
