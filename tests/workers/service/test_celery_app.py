"""The Celery application: broker addresses are checked before anything connects."""

from __future__ import annotations

import pytest

from repository.config import Settings
from repository.errors import SettingInvalid
from workers.service.celery_app import create_celery


@pytest.mark.parametrize("address", ["http://x", "nonsense", "redis", "redis:/x", "://x", "redis://x:port/0"])
def test_an_invalid_broker_address_is_refused_with_examples_of_valid_ones(address: str) -> None:
    with pytest.raises(SettingInvalid) as refusal:
        create_celery(Settings(broker=address))
    message = refusal.value.message
    for text in (message.zh, message.en):
        assert all(part in text for part in ("SHANBEN_BROKER", "redis://", "amqp://"))


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
def test_broker_addresses_are_accepted_without_a_connection(address: str) -> None:
    create_celery(Settings(broker=address))
