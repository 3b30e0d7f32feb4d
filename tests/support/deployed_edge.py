"""The edge as it is deployed, in a throwaway folder: deploy/nginx.conf with what an operator changes in it."""

from __future__ import annotations

import datetime
import re
import shutil
import ssl
from collections.abc import Mapping
from pathlib import Path

from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from servers import temporary_paths

PROJECT = Path(__file__).resolve().parents[2]


def substitute(text: str, changes: Mapping[str, str]) -> str:
    """Return `text` with every pattern replaced; each must occur."""
    for pattern, new in changes.items():
        text, count = re.subn(pattern, lambda _, new=new: new, text, flags=re.MULTILINE)
        assert count, f"{pattern} is not in the file"
    return text


def install(
    folder: Path, port: int, plain_port: int, web_port: int, locations: Mapping[str, str], name: str = "library.example"
) -> str:
    """Install the deployed files in `folder` and return the text of nginx.conf.

    `locations` are changes to edge/locations.conf. A certificate for `name` must be in `folder` (`make_certificate`).
    """
    shutil.copytree(PROJECT / "deploy/edge", folder / "edge", dirs_exist_ok=True)
    site = folder / "edge/site.conf"
    changes = {
        r"^ *listen \[::\].*\n": "",
        r"listen 443": f"listen 127.0.0.1:{port}",
        r"listen 80": f"listen 127.0.0.1:{plain_port}",
        r"127\.0\.0\.1:8000": f"127.0.0.1:{web_port}",
        r"library\.example": name,
        r"/etc/ssl/shanben": str(folder),
        r"/opt/shanben": str(PROJECT),
        r"/var/cache/shanben-edge": str(folder / "cache"),
        r"/var/log/nginx": str(folder),
    }
    site.write_text(substitute(site.read_text(), changes))
    file = folder / "edge/locations.conf"
    file.write_text(substitute(file.read_text(), locations))
    ours = {r"^(user|pid|error_log) .*\n": "", r"^http \{\n": f"http {{\n{temporary_paths(folder)}"}
    return substitute((PROJECT / "deploy/nginx.conf").read_text(), ours)


def make_certificate(folder: Path, name: str) -> ssl.SSLContext:
    """Write a certificate for `name` and its key into `folder`; return a context that trusts it alone."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, name)])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder(subject, subject, key.public_key(), x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.DNSName(name)]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "fullchain.pem").write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    secret = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    (folder / "key.pem").write_bytes(secret)
    return ssl.create_default_context(cafile=str(folder / "fullchain.pem"))
