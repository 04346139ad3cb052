"""The parameters behind the ``?`` of a PostgreSQL URL, checked before anything is connected to."""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import TypeAlias

from psycopg import pq
from psycopg.conninfo import make_conninfo

Parameters: TypeAlias = Mapping[str, str | tuple[str, ...]]

_NUMBERS = {
    "connect_timeout",
    "keepalives",
    "keepalives_idle",
    "keepalives_interval",
    "keepalives_count",
    "tcp_user_timeout",
}
_NOWHERE = "/dev/null"
"""A folder of sockets that cannot be: libpq looks at all else first, and then gives up."""


def unknown(parameters: Parameters) -> bool:
    """Whether there is one that is none of libpq's, or that is given twice."""
    known = {option.keyword.decode() for option in pq.Conninfo.get_defaults()}
    return any(
        name not in known or not (isinstance(value, str) or name == "host")
        for name, value in parameters.items()
    )


def malformed(parameters: Parameters) -> str:
    """The name of a known one whose value cannot be; empty: libpq takes all of them."""
    single = {name: value for name, value in parameters.items() if isinstance(value, str)}
    for name, value in single.items():
        if not _can_be(name, value):
            return name
    complaint = _complaint({n: v for n, v in single.items() if n not in ("host", "hostaddr")})
    # What libpq has against a value, it says with the value in quotes.
    return next((name for name, value in single.items() if f'"{value}"' in complaint), "")


def _can_be(name: str, value: str) -> bool:
    """What libpq itself looks at only while it connects."""
    if name == "port":
        return all(is_port(port) for port in value.split(","))
    if name == "hostaddr":
        return all(_is_address(address) for address in value.split(","))
    return name not in _NUMBERS or value.removeprefix("-").isdecimal()


def is_port(text: str) -> bool:
    """Whether there may be a port of this number."""
    return text.isdecimal() and 0 < int(text) < 65536


def _is_address(text: str) -> bool:
    try:
        ip_address(text)
    except ValueError:
        return False
    return True


def _complaint(parameters: Mapping[str, str]) -> str:
    conninfo = make_conninfo(host=_NOWHERE, **parameters)
    connection = pq.PGconn.connect_start(conninfo.encode())
    try:
        return connection.error_message.decode(errors="replace")
    finally:
        connection.finish()
