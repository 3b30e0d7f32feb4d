"""Content Credentials of downloads, as c2pa's own reader verifies them against an authority for tests."""

from __future__ import annotations

import asyncio
import io
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import c2pa
import pytest
import pyvips
from credential_authority import CredentialAuthority, new_authority
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from image_requests import WholeResponse, respond

from iiif_server.image import credentials
from iiif_server.image.capabilities import probe
from iiif_server.image.responses import ImageCall
from iiif_server.image.service import ImageService
from repository.config import Settings
from repository.errors import SettingInvalid
from repository.model.work import Access, Rights
from repository.repository import memory_repository

pytestmark = pytest.mark.slow

BY = "http://creativecommons.org/licenses/by/4.0/"
FULL = "full/max/0/default.jpg"


class Served:
    """A service over one picture."""

    def __init__(self, hold_picture: Callable[..., str], offered: Any, rights: Rights | None, **settings: Any) -> None:
        size = settings.pop("size", (1600, 1100))
        repository = memory_repository(Settings(**settings))
        noise = pyvips.Image.gaussnoise(*size, mean=128, sigma=40, seed=1).cast("uchar").bandjoin([9, 99])
        self.image = hold_picture(repository, noise.copy(interpretation="srgb").copy_memory(), rights)
        held = repository.catalogue.image(self.image)
        assert held
        work = repository.catalogue.work(held.work)
        assert work
        self.work = work
        self.service = ImageService(repository, offered=offered)
        self.runner = asyncio.Runner()

    def ask(self, rest: str, **fields: str) -> WholeResponse:
        path = f"/iiif/image/3/{self.image}/{rest}"
        return respond(self.service, ImageCall(path, "https://visited.example", **fields), self.runner)


@pytest.fixture(scope="module")
def offered() -> object:
    return probe()


@pytest.fixture(scope="module")
def authority() -> CredentialAuthority:
    return new_authority()


@pytest.fixture
def serve(hold_picture: Callable[..., str], offered: object) -> Iterator[Callable[..., Served]]:
    made: list[Served] = []

    def begin(rights: Rights | None = None, **settings: Any) -> Served:
        made.append(Served(hold_picture, offered, rights, **settings))
        return made[-1]

    yield begin
    for each in made:
        each.service.close()
        each.runner.close()


def read(jpeg: bytes, authority: CredentialAuthority | None = None) -> c2pa.Reader:
    """Read a picture's manifest without the network; with an authority, only its signers are trusted."""
    verify = {"remote_manifest_fetch": False, "ocsp_fetch": False, "verify_trust": authority is not None}
    settings: dict[str, Any] = {"verify": verify}
    if authority:
        settings["trust"] = {"trust_anchors": authority.pem}
    return c2pa.Reader("image/jpeg", io.BytesIO(jpeg), context=c2pa.Context.from_dict(settings))


def has_manifest(jpeg: bytes) -> bool:
    return b"c2pa" in jpeg


def test_download_verifies_against_the_authority_of_its_signer(
    serve: Callable[..., Served], authority: CredentialAuthority, tmp_path: Path
) -> None:
    served = serve(Rights(BY), provider="某圖書館", base_url="https://books.example", **authority.issue(tmp_path))
    signed = served.ask(FULL)
    reader = read(signed.body, authority)
    assert reader.get_validation_state() == "Trusted"
    assert read(signed.body, new_authority()).get_validation_state() != "Trusted"
    manifest = reader.get_active_manifest()
    assert manifest
    stated = {each["label"]: each["data"] for each in manifest["assertions"]}
    metadata = stated["cawg.metadata"]
    (master,) = (image.master for image in served.work.images())
    assert metadata["dc:identifier"] == served.image
    assert metadata["dc:title"] == served.work.record.title
    assert metadata.get("dc:creator", []) == list(served.work.record.creator)
    assert metadata["dc:publisher"] == ["某圖書館"]
    assert metadata["dc:rights"] == metadata["cc:license"] == BY
    assert metadata["dc:source"] == [
        f"https://books.example/works/{served.work.identifier}",
        f"nih:sha-256;{master.sha256}",
    ]
    assert [each["action"] for each in stated["c2pa.actions.v2"]["actions"]] == ["c2pa.created", "c2pa.transcoded"]
    assert b"xmpRights:WebStatement" in signed.body


def test_changed_download_no_longer_verifies(
    serve: Callable[..., Served], authority: CredentialAuthority, tmp_path: Path
) -> None:
    body = bytearray(serve(Rights(BY), **authority.issue(tmp_path)).ask(FULL).body)
    body[-100] ^= 1
    reader = read(bytes(body), authority)
    assert reader.get_validation_state() == "Invalid"
    assert "assertion.dataHash.mismatch" in json.dumps(reader.get_validation_results())


def test_large_download_that_is_streamed_without_credentials_is_sent_whole_with_them(
    serve: Callable[..., Served], authority: CredentialAuthority, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    served = serve(Rights(BY), size=(2400, 1800), **authority.issue(tmp_path))
    assert read(served.ask(FULL).body, authority).get_validation_state() == "Trusted"
    monkeypatch.setattr(credentials, "LARGEST_SIGNED", 1000)
    too_large = served.ask(FULL)
    assert pyvips.Image.new_from_buffer(too_large.body, "").width == 2400
    assert not has_manifest(too_large.body)


@pytest.mark.parametrize(
    "rest", ["full/!400,400/0/default.jpg", "0,0,512,512/512,512/0/default.jpg", "full/max/0/default.png"]
)
def test_tiles_smaller_sizes_and_other_formats_are_not_signed(
    serve: Callable[..., Served], authority: CredentialAuthority, tmp_path: Path, rest: str
) -> None:
    response = serve(Rights(BY), **authority.issue(tmp_path)).ask(rest)
    assert not has_manifest(response.body)
    assert response.headers["ETag"].startswith('"')


def test_nothing_is_signed_without_the_settings(serve: Callable[..., Served]) -> None:
    response = serve(Rights(BY)).ask(FULL)
    assert not has_manifest(response.body)
    assert response.headers["ETag"].startswith('"')


def test_entity_tag_is_weak_because_each_signature_differs_and_is_still_confirmed(
    serve: Callable[..., Served], authority: CredentialAuthority, tmp_path: Path
) -> None:
    served = serve(Rights(BY), **authority.issue(tmp_path))
    first, second = served.ask(FULL), served.ask(FULL)
    assert first.body != second.body
    tag = first.headers["ETag"]
    assert tag == second.headers["ETag"]
    assert tag.startswith('W/"')
    assert served.ask(FULL, if_none_match=tag).status == 304
    assert served.ask(FULL, if_none_match='W/"other"').status == 200


def test_largest_size_of_reduced_access_is_signed_as_reduced(
    serve: Callable[..., Served], authority: CredentialAuthority, tmp_path: Path
) -> None:
    served = serve(Rights(BY, Access.REDUCED, 800), **authority.issue(tmp_path))
    assert "c2pa.resized" in read(served.ask(FULL).body, authority).json()


@pytest.mark.parametrize(
    "key",
    [
        ec.generate_private_key(ec.SECP384R1()),
        ed25519.Ed25519PrivateKey.generate(),
        rsa.generate_private_key(65537, 2048),
    ],
    ids=["P-384", "Ed25519", "RSA"],
)
def test_keys_of_other_kinds_sign_too(
    serve: Callable[..., Served], authority: CredentialAuthority, tmp_path: Path, key: object
) -> None:
    body = serve(Rights(BY), **authority.issue(tmp_path, key)).ask(FULL).body
    assert read(body, authority).get_validation_state() == "Trusted"


def test_settings_that_cannot_sign_are_refused_at_the_start(
    serve: Callable[..., Served], authority: CredentialAuthority, tmp_path: Path
) -> None:
    for name in ("first", "second", "ended"):
        (tmp_path / name).mkdir()
    first, second = (authority.issue(tmp_path / name) for name in ("first", "second"))
    ended = authority.issue(tmp_path / "ended", days=-1)
    open_to_all = tmp_path / "open.key"
    open_to_all.write_bytes(Path(first["credentials_key"]).read_bytes())
    open_to_all.chmod(0o644)
    cases = {
        "credentials_key": [
            first | {"credentials_key": ""},
            first | {"credentials_key": second["credentials_key"]},
            first | {"credentials_key": str(open_to_all)},
            first | {"credentials_key": str(tmp_path / "absent")},
        ],
        "credentials_certificates": [ended, first | {"credentials_certificates": first["credentials_key"]}],
    }
    for name, all_settings in cases.items():
        for settings in all_settings:
            with pytest.raises(SettingInvalid) as refused:
                serve(**settings)
            assert refused.value.details["name"] == name
