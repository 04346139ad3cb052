"""ProxyGuard: a guard that knows everybody by what a proxy in front says."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache

from tfaas_core.config import Config
from tfaas_core.guard import Asking, Guard, UnknownCredential
from tfaas_plugins.grants import Grant, Grants, Patterns
from tfaas_plugins.proxy_guard.table import NAME, ProxyGuardTable, ProxyRule

_LONGEST = 4000
"""Of a header, in characters."""
_MOST_KEPT = 1024
_NOTHING = ("/Capability=NULL", "/Role=NULL")
"""What FQANs end in that say nothing more, in this order from their end."""


class ProxyGuard(Guard):
    """Admits whom a proxy of ``server.proxies`` names, to what the rules of ``table`` say.

    From anybody else, its headers are headers as others.
    """

    authenticates = True

    def __init__(self, table: ProxyGuardTable) -> None:
        self._take(table)

    def renew(self, config: Config) -> None:
        """Reads headers and rules again; if there are none any more, nobody passes."""
        self._take(config.settings(NAME))

    def _take(self, table: ProxyGuardTable) -> None:
        self._subject_header, self._fqan_header = table.subject_header, table.fqan_header
        rules = [_Rule(rule) for rule in table.rules.values()]

        def grants_of(subject: str, fqans: str) -> Grants:
            found = [rule.grant for rule in rules if rule.fits(subject, fqans)]
            return Grants(subject, found, whom="the client that the proxy names")

        self._grants: Callable[[str, str], Grants] = lru_cache(_MOST_KEPT)(grants_of)

    def admit(self, asking: Asking) -> str:
        """The subject that the proxy tells. Raises UnknownCredential and Forbidden."""
        subject = self._told(asking, self._subject_header)
        if not subject:
            raise UnknownCredential("this server asks for a certificate, at a proxy before it")
        self._grants(subject, self._told(asking, self._fqan_header)).check_right(asking.right)
        return subject

    def admit_to(self, asking: Asking, identity: str, model: str) -> None:
        """Raises Forbidden unless who asks may go to the model."""
        grants = self._grants(identity, self._told(asking, self._fqan_header))
        grants.check_model(model, asking.right)

    def _told(self, asking: Asking, header: str) -> str:
        """What a proxy says in a header; empty if it says nothing, or nothing that can be used.

        One that was sent twice may be the client's own, beside the proxy's.
        """
        values = asking.head.headers.all(header) if header and asking.client.proxy else ()
        if len(values) != 1:
            return ""
        value = values[0].strip()
        return value if value.isprintable() and len(value) <= _LONGEST else ""


class _Rule:
    def __init__(self, rule: ProxyRule) -> None:
        self.grant = Grant(frozenset(rule.rights), rule.models)
        self._rule = rule
        self._subjects = Patterns(rule.subjects)
        self._fqans = Patterns([_short(fqan) for fqan in rule.fqans])

    def fits(self, subject: str, fqans: str) -> bool:
        if self._rule.subjects and not self._subjects.matches(subject):
            return False
        told = [_short(fqan.strip()) for fqan in fqans.split(",")]
        return not self._rule.fqans or any(map(self._fqans.matches, filter(None, told)))


def _short(fqan: str) -> str:
    """Without what says nothing."""
    for ending in _NOTHING:
        fqan = fqan.removesuffix(ending)
    return fqan
