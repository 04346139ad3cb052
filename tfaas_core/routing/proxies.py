"""Proxies: whose request it is that a proxy in front passes on."""

from __future__ import annotations

import re
from collections.abc import Iterable
from functools import lru_cache
from ipaddress import (
    IPv4Address,
    IPv4Network,
    IPv6Address,
    IPv6Network,
    ip_address,
    ip_network,
)
from typing import Self, TypeAlias

from tfaas_core.fields import Headers
from tfaas_core.route import ClientAddress

_Address: TypeAlias = IPv4Address | IPv6Address
_Hop: TypeAlias = tuple[_Address, int]

_FORWARDED = "forwarded"
_MOST_KEPT = 4096
_LONGEST_KEPT = 200
"""In characters."""

_PAIR = re.compile(r"""([!#$%&'*+.^_`|~0-9A-Za-z-]+)=([!#$%&'*+.^_`|~0-9A-Za-z-]+|"[^"\\]*")""")
_ELEMENT = re.compile(rf"[ \t]*{_PAIR.pattern}(?:[ \t]*;[ \t]*{_PAIR.pattern})*[ \t]*")
_PLACE = re.compile(r"([0-9.]+)(?::([0-9]{1,5}))?|\[([0-9A-Fa-f:.]+)\](?::([0-9]{1,5}))?")
_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")


class Proxies:
    """Believes ``networks`` alone, and of these what they say in ``header``, whose name is lower
    case: a list of addresses, as X-Forwarded-For has it, or what RFC 7239 says of Forwarded."""

    def __init__(self, networks: Iterable[IPv4Network | IPv6Network], header: str) -> None:
        self._networks = tuple(networks)
        self._header = header
        self._kept = lru_cache(_MOST_KEPT)(self._found)

    @classmethod
    def of(cls, proxies: Iterable[str], header: str) -> Self | None:
        """None if there are none. Raises ValueError for what is no address or network of any."""
        networks = []
        for text in proxies:
            try:
                networks.append(ip_network(text))
            except ValueError:
                expected = 'an address or a network, like "10.0.0.1" or "10.0.0.0/8"'
                raise ValueError(f"Expected {expected}, got `{text[:60]}`") from None
        if _NAME.fullmatch(header) is None:
            raise ValueError(f"Expected the name of a header, got `{header[:60]}`")
        return cls(networks, header.lower()) if networks else None

    def client(self, peer: ClientAddress, headers: Headers) -> ClientAddress:
        """Who sent a request that came from ``peer``: itself, if it is none of these proxies.

        Else the last of the addresses that is none of them. One that is unreadable ends the search,
        and the one behind it is taken: a client may have sent what is before that.
        """
        values = headers.all(self._header)
        is_short = sum(map(len, values)) <= _LONGEST_KEPT
        return self._kept(peer, values) if is_short else self._found(peer, values)

    def _found(self, peer: ClientAddress, values: tuple[str, ...]) -> ClientAddress:
        if peer.is_local_socket or not self._trusts(nearest := _plain(peer.ip)):
            return peer
        found: _Hop = nearest, peer.port
        # A quote that a client leaves open must not swallow what the proxies add: commas part.
        for hop in reversed(",".join(values).split(",")):
            place = _place(_in_for(hop) if self._header == _FORWARDED else hop.strip(" \t"))
            if place is None:
                break
            found = place
            if not self._trusts(place[0]):
                break
        return ClientAddress(str(found[0]), found[1], peer.subject, peer.ip)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._networks)


def _plain(text: str) -> _Address:
    """Raises ValueError."""
    address = ip_address(text.partition("%")[0])
    mapped = address.ipv4_mapped if isinstance(address, IPv6Address) else None
    return mapped or address


def _place(text: str) -> _Hop | None:
    """An address, with its port, which is 0 if none is told; None if it is none."""
    found = _PLACE.fullmatch(text)
    ip, port = (found[1] or found[3], found[2] or found[4]) if found else (text, None)
    try:
        return _plain(ip), int(port or 0)
    except ValueError:
        return None


def _in_for(element: str) -> str:
    """What an element of Forwarded says in ``for``; empty if it says nothing, or is none."""
    if _ELEMENT.fullmatch(element) is None:
        return ""
    pairs = ((name.lower(), value) for name, value in _PAIR.findall(element))
    return next((value.strip('"') for name, value in pairs if name == "for"), "")
