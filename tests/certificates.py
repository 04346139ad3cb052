"""Certificates for tests, made by the command openssl."""

from __future__ import annotations

import os
import ssl
import subprocess
from pathlib import Path

import pytest

_NAMES = "subjectAltName=DNS:localhost,IP:127.0.0.1"
_NEW_KEY = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256", "-nodes"]


class Authority:
    """Signs certificates, which it writes into ``folder``, each with a key of its own."""

    def __init__(self, folder: Path, name: str = "authority") -> None:
        self._folder = folder
        self.cert = folder / f"{name}.pem"
        self._key = folder / f"{name}.key"
        signed = ["req", "-x509", *_NEW_KEY, "-days", "30", "-subj", f"/CN={name}"]
        _openssl(*signed, "-keyout", str(self._key), "-out", str(self.cert))

    def signed(self, name: str, subject: str = "/CN=localhost", days: int = 30) -> Path:
        """A file with a new certificate, and its key. ``days``: below 0, it has expired."""
        folder = self._folder
        key, request, cert = (str(folder / f"{name}.{end}") for end in ("key", "csr", "crt"))
        _openssl("req", *_NEW_KEY, "-keyout", key, "-out", request, "-subj", subject)
        (folder / "names").write_text(_NAMES)
        signing = ["-CA", str(self.cert), "-CAkey", str(self._key), "-CAcreateserial"]
        more = ["-days", str(days), "-extfile", str(folder / "names")]
        _openssl("x509", "-req", "-in", request, *signing, *more, "-out", cert)
        both = folder / f"{name}.pem"
        both.write_text(Path(cert).read_text() + Path(key).read_text())
        return both

    def client(self, cert: Path | None = None) -> ssl.SSLContext:
        """What a client that trusts it speaks TLS with."""
        context = ssl.create_default_context(cafile=str(self.cert))
        if cert is not None:
            context.load_cert_chain(cert)
        return context


def _openssl(*arguments: str) -> None:
    try:
        subprocess.run(["openssl", *arguments], check=True, capture_output=True, text=True)
    except FileNotFoundError:
        assert os.environ.get("CI") != "true", "no openssl, which CI must have"
        pytest.skip("no openssl: apt-get install openssl")
