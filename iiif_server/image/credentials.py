"""Content Credentials (C2PA 2) of downloads: a manifest, signed by the library, inside the full-size JPEG.

The manifest names the library's picture, its creators, rights and licence, and the digest of the preserved master. It
is bound to the bytes of the JPEG, so that any later change shows. A stored tile and a PDF have none. Without the two
settings nothing is signed, and c2pa is not loaded.

A picture is whole in memory while it is signed, one at a time. Nothing is asked of another host: no timestamp, no
revocation list, no remote manifest.
"""

from __future__ import annotations

import asyncio
import hashlib
import io
import json
import logging
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AsyncExitStack
from functools import partial
from importlib import metadata
from pathlib import Path
from typing import Any, Final, Protocol

from cryptography import x509
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat, load_pem_private_key

from iiif_server.image.resolved import CachedImage, ResolvedRequest
from iiif_server.image.responses import ImageResponse
from iiif_server.render.pool import RenderedStream
from iiif_server.request.geometry import RenderPlan
from iiif_server.request.grammar import OutputFormat
from iiif_server.urls import work_path
from repository.config import Settings
from repository.database.catalogue import Catalogue
from repository.errors import RenderingBusy, SettingInvalid, SystemFault
from repository.localized import LocalizedText
from repository.model.work import Work

LARGEST_SIGNED: Final = 64 << 20
"""Bytes up to which a JPEG is signed; a larger one is sent as it is, which is logged. Memory: three times."""

_CERTIFICATES, _KEY = "credentials_certificates", "credentials_key"
_CURVES: Final = {"secp256r1": "es256", "secp384r1": "es384", "secp521r1": "es512"}
_OFFLINE: Final = {
    "verify": {
        "verify_after_sign": True,
        "verify_trust": False,
        "verify_timestamp_trust": False,
        "ocsp_fetch": False,
        "remote_manifest_fetch": False,
    },
    "builder": {"thumbnail": {"enabled": False}, "auto_timestamp_assertion": {"enabled": False}},
}
"""c2pa's settings. `verify_trust` compares with lists of authorities: whom a reader trusts is decided elsewhere."""

_CAPTURE: Final = "http://cv.iptc.org/newscodes/digitalsourcetype/digitalCapture"
_NAMESPACES: Final = {
    "dc": "http://purl.org/dc/elements/1.1/",
    "xmpRights": "http://ns.adobe.com/xap/1.0/rights/",
    "cc": "http://creativecommons.org/ns#",
}
_TEST_JPEG: Final = bytes.fromhex(
    "ffd8ffdb004300" + "01" * 64 + "ffc0000b080001000101011100ffc40014000100000000000000000000000000000009"
    "ffc40014100100000000000000000000000000000000ffda0008010100003f0054ffd9"
)
"""A JPEG of one pixel, which is signed at the start to try certificate and key."""

_LOG: Final = logging.getLogger("shanben.image")


class CredentialsFailed(SystemFault):
    """A download could not be signed, and is not sent without its signature."""

    code = "image.credentials"
    text = LocalizedText(
        "下载的图像无法签署内容凭证：{reason}；请检查 SHANBEN_CREDENTIALS_CERTIFICATES 的证书是否过期",
        "The download cannot be signed with Content Credentials: {reason}; check whether a certificate of"
        " SHANBEN_CREDENTIALS_CERTIFICATES has expired",
    )


class DownloadSigner(Protocol):
    """Signs downloads, or sends them as they are."""

    def mark(self, etag: str, plan: RenderPlan) -> str:
        """Return the entity tag of the answer to a plan, given the one without credentials."""

    async def signed(self, response: ImageResponse, resolved: ResolvedRequest) -> ImageResponse:
        """Return the response to a request with credentials, if it is a download that gets any.

        Raises `CredentialsFailed`, `RenderingBusy`, `RenderingFailed`, `DatabaseFault`.
        """

    def close(self) -> None:
        """Free what signing needs."""


class NoCredentials:
    """Sends downloads as they are: the default."""

    def mark(self, etag: str, plan: RenderPlan) -> str:
        """Return the entity tag as it is."""
        return etag

    async def signed(self, response: ImageResponse, resolved: ResolvedRequest) -> ImageResponse:
        """Return the response as it is."""
        return response

    def close(self) -> None:
        """Do nothing."""


class CredentialSigner:
    """Signs the downloads of one serving process by the certificate and key of the library."""

    def __init__(self, settings: Settings, catalogue: Catalogue) -> None:
        self._catalogue = catalogue
        self._publisher, self._base_url = settings.provider, settings.base_url
        chain, key = _read(_CERTIFICATES, settings), _read_key(settings)
        self._variant = hashlib.sha256(chain).hexdigest()[:8]
        self._sign = _opened(chain, key)
        self._turn = asyncio.Semaphore(1)
        self._thread = ThreadPoolExecutor(1, "credentials")

    def mark(self, etag: str, plan: RenderPlan) -> str:
        """Return a weak tag for a signed answer: each signature has other bytes for the same picture."""
        return f'W/{etag[:-1]}{self._variant}"' if _is_signed(plan) else etag

    async def signed(self, response: ImageResponse, resolved: ResolvedRequest) -> ImageResponse:
        """Return the response with a signed JPEG, if it is a download. Raises as `DownloadSigner.signed`."""
        if not _is_signed(resolved.plan):
            return response
        async with self._turn:
            picture = await _whole(response.body, resolved)
            if picture is None:
                return response
            sign = partial(self._signed, picture, resolved.plan, resolved.image)
            body = await asyncio.get_running_loop().run_in_executor(self._thread, sign)
        return response._replace(body=body)

    def close(self) -> None:
        """End the thread that signs."""
        self._thread.shutdown(wait=False, cancel_futures=True)

    def _signed(self, picture: bytes, plan: RenderPlan, image: CachedImage) -> bytes:
        work = self._catalogue.work(image.image.work)
        manifest = manifest_of(plan, image, work, publisher=self._publisher, base_url=self._base_url)
        return self._sign(picture, manifest)


def open_credentials(settings: Settings, catalogue: Catalogue) -> DownloadSigner:
    """Return what signs downloads by the settings; a test picture is signed. Raises `SettingInvalid`."""
    if not (settings.credentials_certificates or settings.credentials_key):
        return NoCredentials()
    return CredentialSigner(settings, catalogue)


def manifest_of(
    plan: RenderPlan, image: CachedImage, work: Work | None, *, publisher: str, base_url: str
) -> dict[str, object]:
    """Return the definition of the manifest of a download, as c2pa's builder takes it.

    The master's digest is a name by RFC 6920, section 7. The address of the work is part of it only if the public
    address is set.
    """
    held = image.image
    master = next((each.master for each in work.images() if each.identifier == held.identifier), None) if work else None
    source = [f"{base_url}{work_path(held.work)}"] if base_url else []
    values = {
        "dc:identifier": held.identifier,
        "dc:title": work.record.title if work else "",
        "dc:creator": list(work.record.creator) if work else [],
        "dc:publisher": [publisher] if publisher else [],
        "dc:source": [*source, f"nih:sha-256;{master.sha256}"] if master else source,
        "dc:rights": held.rights.uri,
        "xmpRights:WebStatement": held.rights.uri,
        "cc:license": held.rights.uri if _is_licence(held.rights.uri) else None,
    }
    stated = {name: value for name, value in values.items() if value}
    return {
        "claim_generator_info": [{"name": "shanben", "version": metadata.version("shanben")}],
        "title": f"{held.identifier}.jpg",
        "format": "image/jpeg",
        "assertions": [
            {"label": "c2pa.actions.v2", "data": {"actions": _actions(plan, image)}},
            {"label": "cawg.metadata", "data": {"@context": _NAMESPACES, **stated}},
        ],
    }


def _actions(plan: RenderPlan, image: CachedImage) -> list[dict[str, str]]:
    """Return what was done: the photograph, its new format and, if so, its reduction, and what covers parts of it."""
    actions = [{"action": "c2pa.created", "digitalSourceType": _CAPTURE}, {"action": "c2pa.transcoded"}]
    if (plan.width, plan.height) != (image.grid.width, image.grid.height):
        actions.append({"action": "c2pa.resized"})
    if plan.protection.hidden or plan.protection.mark is not None:
        actions.append({"action": "c2pa.edited"})
    return actions


def _is_licence(uri: str | None) -> bool:
    return bool(uri) and "creativecommons.org/" in str(uri)


def _is_signed(plan: RenderPlan) -> bool:
    """Return whether an answer gets credentials: a download, as those with an XMP packet are, and a JPEG."""
    return bool(plan.packet) and plan.format is OutputFormat.JPG


async def _whole(body: bytes | bytearray | RenderedStream, resolved: ResolvedRequest) -> bytes | None:
    """Return the picture, and end its stream; None for one that is too large, whose stream is left as it is."""
    if not isinstance(body, RenderedStream):
        return bytes(body)
    async with AsyncExitStack() as at_end:
        at_end.push_async_callback(body.close)
        length = await body.length()
        if length is None:
            raise RenderingBusy
        if length > LARGEST_SIGNED:
            _LOG.warning("%s: %d bytes, sent without Content Credentials", resolved.plan.canonical, length)
            at_end.pop_all()
            return None
        picture = bytearray()
        while part := await body.next_part():
            picture += part
        return bytes(picture)


class _Sign(Protocol):
    def __call__(self, picture: bytes, manifest: dict[str, object]) -> bytes:
        """Return a JPEG with its signed manifest. Raises `CredentialsFailed`."""


def _opened(chain: bytes, key: bytes) -> _Sign:
    """Return what signs with a certificate chain and its key, after a trial. Raises `SettingInvalid`."""
    import c2pa  # noqa: PLC0415 - 23 MB of machine code, which few libraries need

    algorithm = _algorithm(chain, key)
    context = c2pa.Context.from_dict(_OFFLINE)

    def sign(picture: bytes, manifest: dict[str, object]) -> bytes:
        signed = io.BytesIO()
        try:
            info = c2pa.C2paSignerInfo(alg=algorithm, sign_cert=chain, private_key=key, ta_url=None)
            with (
                c2pa.Signer.from_info(info) as signer,
                c2pa.Builder.from_json(json.dumps(manifest), context) as builder,
            ):
                builder.sign(signer, "image/jpeg", io.BytesIO(picture), signed)
        except c2pa.C2paError as fault:
            raise CredentialsFailed(reason=str(fault)) from fault
        return signed.getvalue()

    trial: dict[str, object] = {
        "format": "image/jpeg",
        "assertions": [{"label": "c2pa.actions.v2", "data": {"actions": _TRIAL}}],
    }
    try:
        sign(_TEST_JPEG, trial)
    except CredentialsFailed as failure:
        raise SettingInvalid(name=_CERTIFICATES, reason=str(failure.details["reason"])) from failure
    return sign


_TRIAL: Final[Sequence[dict[str, str]]] = [{"action": "c2pa.created", "digitalSourceType": _CAPTURE}]


def _algorithm(chain: bytes, key: bytes) -> bytes:
    """Return C2PA's name of the signature algorithm of a key, which must be that of the first certificate."""
    try:
        certificate = x509.load_pem_x509_certificates(chain)[0]
    except (ValueError, IndexError) as fault:
        raise SettingInvalid(name=_CERTIFICATES, reason=str(fault)) from fault
    try:
        private: Any = load_pem_private_key(key, None)
    except (ValueError, TypeError) as fault:
        raise SettingInvalid(name=_KEY, reason=str(fault)) from fault
    form = Encoding.DER, PublicFormat.SubjectPublicKeyInfo
    if private.public_key().public_bytes(*form) != certificate.public_key().public_bytes(*form):
        reason = LocalizedText("与第一张证书不配对", "it is not the key of the first certificate")
        raise SettingInvalid(name=_KEY, reason=reason)
    if isinstance(private, ed25519.Ed25519PrivateKey):
        return b"ed25519"
    if isinstance(private, rsa.RSAPrivateKey):
        return b"ps256"
    curve = private.curve.name if isinstance(private, ec.EllipticCurvePrivateKey) else ""
    if curve not in _CURVES:
        reason = LocalizedText(
            "须为 P-256、P-384、P-521、Ed25519 或 RSA 密钥", "it must be a key on P-256, P-384 or P-521, Ed25519 or RSA"
        )
        raise SettingInvalid(name=_KEY, reason=reason)
    return _CURVES[curve].encode()


def _read(name: str, settings: Settings) -> bytes:
    path: str = getattr(settings, name)
    if not path:
        reason = LocalizedText("证书与密钥须一并设置", "set the certificates and the key together")
        raise SettingInvalid(name=name, reason=reason)
    try:
        return Path(path).read_bytes()
    except OSError as fault:
        raise SettingInvalid(name=name, reason=f"{path}: {fault.strerror}") from fault


def _read_key(settings: Settings) -> bytes:
    key = _read(_KEY, settings)
    if Path(settings.credentials_key).stat().st_mode & 0o077:
        reason = LocalizedText("他人可读取；请执行 chmod 600", "other users can read it; run chmod 600 on it")
        raise SettingInvalid(name=_KEY, reason=reason)
    return key
