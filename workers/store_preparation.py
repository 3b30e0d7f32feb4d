"""Makes the place of a store before anything is written into it."""

from __future__ import annotations

from repository.config import Settings
from repository.storage.address import S3_SCHEME


def prepare_store(address: str, settings: Settings) -> None:
    """Create the bucket of an S3 address if it does not exist. A folder needs nothing. Raises `SystemFault`."""
    if address.startswith(S3_SCHEME):
        # boto3 takes as long to import as everything else together, and only S3 needs it.
        from repository.storage.s3_admin import prepare_bucket  # noqa: PLC0415

        prepare_bucket(address, settings)
