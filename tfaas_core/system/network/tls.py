"""TLS: the server's certificates, read and checked, and changed while it serves."""

from __future__ import annotations

import base64
import re
import ssl
import sys
import time
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.errors import ConfigError

_TIME = re.compile(rb"\x17\x0d([0-9]{12}Z)|\x18\x0f([0-9]{14}Z)")
"""In DER: UTCTime, and GeneralizedTime."""

_SHORT = {
    "commonName": "CN",
    "countryName": "C",
    "domainComponent": "DC",
    "localityName": "L",
    "organizationName": "O",
    "organizationalUnitName": "OU",
    "stateOrProvinceName": "ST",
    "streetAddress": "STREET",
    "userId": "UID",
}


class TlsFiles(msgspec.Struct, frozen=True):
    """Files of PEM: the server's certificate and those that it is signed with, and its key.

    ``client_ca``: who must have signed the certificates of clients; None: they need none.
    ``table``: whose keys ``tls_cert``, ``tls_key`` and ``tls_client_ca`` name them.
    """

    cert: Path
    key: Path
    client_ca: Path | None = None
    table: str = "server"

    def context(self, protocols: Sequence[str] = ()) -> ssl.SSLContext:
        """What a server speaks TLS with. Raises ConfigError, which names the file.

        ``protocols``: what it offers by ALPN.
        """
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        if protocols:
            context.set_alpn_protocols(list(protocols))
        context.minimum_version = ssl.TLSVersion.TLSv1_2
        self.shown_by(context)
        if self.client_ca is not None:
            trust(context, self.client_ca, f"{self._keys}_client_ca")
            context.verify_mode = ssl.CERT_REQUIRED
            # Who comes with a ticket is not asked for a certificate again.
            context.options |= ssl.OP_NO_TICKET
            context.num_tickets = 0
        return context

    def shown_by(self, context: ssl.SSLContext) -> None:
        """Has ``context`` show the certificate. Raises ConfigError, which names the file."""
        _check_readable(self.cert, f"{self._keys}_cert")
        _check_readable(self.key, f"{self._keys}_key")
        try:
            # Without a password, OpenSSL would ask for one on the terminal.
            context.load_cert_chain(self.cert, self.key, password=_no_password)
        except _PasswordAskedError:
            why = f"the key in {self.key} has a password; take it off by `openssl pkey`"
            raise ConfigError(f"{why} - at `{self._keys}_key`") from None
        except ssl.SSLError as error:
            raise ConfigError(f"{self._why_not(error)} - at `{self._keys}_cert`") from None

    @property
    def _keys(self) -> str:
        return f"$.{self.table}.tls"

    def warnings(self) -> list[str]:
        """Why clients may refuse the certificate, which can be read."""
        begin, end = _validity(self.cert)
        now = datetime.now(UTC)
        if now >= end:
            return [f"the certificate {self.cert} expired on {end:%Y-%m-%d %H:%M:%S} UTC"]
        if now < begin:
            return [
                f"the certificate {self.cert} is not valid before {begin:%Y-%m-%d %H:%M:%S} UTC"
            ]
        return []

    def stamp(self) -> tuple[object, ...]:
        """Another one once a file has changed."""
        return stamp_of(self.cert, self.key, self.client_ca)

    def _why_not(self, error: ssl.SSLError) -> str:
        if error.reason in ("KEY_VALUES_MISMATCH", "KEY_TYPE_MISMATCH"):
            return f"the key in {self.key} does not fit the certificate in {self.cert}"
        if "-----BEGIN CERTIFICATE-----" not in self.cert.read_text("latin-1"):
            return f"{self.cert} has no certificate in PEM"
        if "PRIVATE KEY-----" not in self.key.read_text("latin-1"):
            return f"{self.key} has no key in PEM"
        return f"{self.cert} and {self.key} cannot be used: {error.reason or 'broken PEM'}"


class LiveTls:
    """The context that a server listens with; each connection has the certificates of now.

    Connections that are open keep what they began with.
    """

    def __init__(self, files: TlsFiles, protocols: Sequence[str] = ()) -> None:
        """``protocols``: what it offers by ALPN. Raises ConfigError."""
        self.files = files
        """Those of now."""
        self._protocols = protocols
        self._now = files.context(protocols)
        self._changed_s = 0.0
        self.context = files.context(protocols)
        self.context.sni_callback = self._choose
        sys.unraisablehook = partial(_unless_wrong_name, sys.unraisablehook)

    def take(self, files: TlsFiles) -> None:
        """From now on, those. Raises ConfigError, and then keeps the former."""
        self._now = files.context(self._protocols)
        self.files = files
        self._changed_s = time.time()
        # A connection begins with this one's.
        self.context.verify_mode = self._now.verify_mode

    def _choose(self, connection: Any, _name: str | None, _context: object) -> int | None:
        """Refuses to go on with a session of TLS 1.2 from before the change, in which nobody would
        ask for the client's certificate again; the client then begins anew."""
        asks = self._now.verify_mode == ssl.CERT_REQUIRED
        if asks and connection.session_reused and connection.session.time <= self._changed_s:
            return ssl.ALERT_DESCRIPTION_HANDSHAKE_FAILURE
        connection.context = self._now
        return None


def _unless_wrong_name(tell: Callable[[Any], object], unraisable: Any) -> None:
    """Tells of what cannot be raised, but for a client that asks for a name that is no ASCII.

    Python refuses it, and would write a traceback to stderr for each.
    """
    is_name = type(unraisable.object) is bytes
    if not (is_name and isinstance(unraisable.exc_value, UnicodeDecodeError)):
        tell(unraisable)


def trust(context: ssl.SSLContext, ca: Path, key: str) -> None:
    """Has ``context`` take certificates that are signed by those in ``ca``, which ``key`` names.

    Raises ConfigError.
    """
    _check_readable(ca, key)
    try:
        context.load_verify_locations(ca)
    except ssl.SSLError:
        raise ConfigError(f"{ca} has no certificate in PEM - at `{key}`") from None


def stamp_of(*paths: Path | None) -> tuple[object, ...]:
    """Another one once a file has changed."""
    return tuple(map(_stamp, filter(None, paths)))


def subject_of(certificate: Mapping[str, Any] | None) -> str:
    """The subject of a client's certificate, as ``SSLObject.getpeercert`` gives it.

    As ``openssl x509 -subject -nameopt RFC2253`` writes it, but for letters beyond ASCII, which
    stay; empty if there is none.
    """
    parts: Iterable[Any] = reversed([*(certificate or {}).get("subject", ())])
    return ",".join("+".join(_attribute(*each) for each in reversed(part)) for part in parts)


def _attribute(kind: str, value: str) -> str:
    escaped = re.sub(r'([,+"\\<>;])', r"\\\1", value)
    escaped = re.sub(r"^([ #])|( )$", r"\\\1\2", escaped)
    return f"{_SHORT.get(kind, kind)}={escaped}"


class _PasswordAskedError(Exception):
    pass


def _no_password() -> str:
    raise _PasswordAskedError


def _check_readable(path: Path, key: str) -> None:
    try:
        path.open("rb").close()
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror} - at `{key}`") from None


def _stamp(path: Path) -> object:
    try:
        found = path.stat()
    except OSError as error:
        return error.errno
    return found.st_ino, found.st_size, found.st_mtime_ns


def _validity(path: Path) -> tuple[datetime, datetime]:
    """From when to when the first certificate in a file is valid.

    The first two times in it are these: before them are numbers and the issuer's name alone.
    """
    pem = re.search("-----BEGIN CERTIFICATE-----(.*?)-----END", path.read_text("latin-1"), re.S)
    assert pem is not None
    begin, end = _TIME.findall(base64.b64decode(pem[1]))[:2]
    return _moment(*begin), _moment(*end)


def _moment(short: bytes, long: bytes) -> datetime:
    format = "%y%m%d%H%M%SZ" if short else "%Y%m%d%H%M%SZ"
    return datetime.strptime((short or long).decode("ascii"), format).replace(tzinfo=UTC)
