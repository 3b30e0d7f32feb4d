"""A browser of staff on another computer, which keeps cookies and sends forms."""

from __future__ import annotations

import re
from dataclasses import dataclass

import pytest
from argon2 import PasswordHasher
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

PASSWORD = "七月流火，九月授衣，一之日觱发"
REMOTE = {"REMOTE_ADDR": "198.51.100.7"}


@dataclass
class Browser:
    """A browser on another computer."""

    client: FlaskClient
    address: str = REMOTE["REMOTE_ADDR"]
    host: str = "http://localhost"

    def get(self, path: str, language: str = "zh") -> TestResponse:
        """Request a page."""
        return self.client.get(
            path,
            base_url=self.host,
            environ_overrides={"REMOTE_ADDR": self.address},
            headers={"Accept-Language": language},
        )

    def post(self, path: str, **fields: str) -> TestResponse:
        """Send a form as it is given, with the Referer that browsers send."""
        return self.client.post(
            path,
            base_url=self.host,
            data=fields,
            environ_overrides={"REMOTE_ADDR": self.address},
            headers={"Accept-Language": "zh", "Referer": f"{self.host}{path}"},
        )

    def form_value(self, path: str = "/login") -> str:
        """Open a page with a form, and return the value that protects it."""
        found = re.search(r'name="csrf_token" value="([^"]+)"', self.get(path).text)
        assert found is not None
        return found[1]

    def log_in(self, name: str = "conservator", password: str = PASSWORD, **fields: str) -> TestResponse:
        """Open the login page and send its form."""
        return self.post("/login", csrf_token=self.form_value(), name=name, password=password, **fields)


def record_hashes(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return a list to which each verification of a password adds the hash that it computes again."""
    verified: list[str] = []
    real = PasswordHasher.verify

    def recorded(self: PasswordHasher, encoded: str, password: str) -> bool:
        verified.append(encoded)
        return real(self, encoded, password)

    monkeypatch.setattr(PasswordHasher, "verify", recorded)
    return verified
