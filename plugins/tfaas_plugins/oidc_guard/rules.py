"""Rules: which grants a token's claims make."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from glob import escape
from typing import Any, TypeAlias
from urllib.parse import unquote

from tfaas_plugins.grants import Grant, Patterns
from tfaas_plugins.oidc_guard.table import STORAGE, OidcRule

_CAPABILITIES = (STORAGE, "compute.")
_SUPERSETS = {"storage.create": "storage.modify"}
"""What is granted by another one, too."""

Reach: TypeAlias = str | None
"""Models: all that a rule is for, as "", or the one of this name; None: none."""


class Rule:
    """``rule`` of an issuer whose tokens list groups in the claim ``groups_in``."""

    def __init__(self, rule: OidcRule, groups_in: str, is_wlcg: bool) -> None:
        self._rule, self._groups_in, self._is_wlcg = rule, groups_in, is_wlcg
        self._groups, self._subjects = Patterns(rule.groups), Patterns(rule.subjects)
        self._models = Patterns(rule.models)
        self._claims = {name: Patterns([pattern]) for name, pattern in rule.claims.items()}
        self._rights = frozenset(rule.rights)

    def grant(self, claims: Mapping[str, Any], scopes: frozenset[str]) -> Grant | None:
        """What it gives for these claims, ``scopes`` among them."""
        rule = self._rule
        if self._is_wlcg and not rule.scopes and any(map(is_capability, scopes)):
            return None  # capabilities are meant to narrow what the groups allow
        if rule.groups and not any(map(self._groups.matches, texts(claims.get(self._groups_in)))):
            return None
        if rule.subjects and not self._subjects.matches(str(claims.get("sub"))):
            return None
        for name, patterns in self._claims.items():
            if not any(map(patterns.matches, _words(_claim(claims, name)))):
                return None
        if not rule.scopes:
            return Grant(self._rights, rule.models)
        reaches = {reach for reach in self._reaches(scopes) if reach is not None}
        if "" in reaches:
            return Grant(self._rights, rule.models)
        models = tuple(escape(name) for name in sorted(reaches) if self._models.matches(name))
        return Grant(self._rights, models) if models else None

    def _reaches(self, scopes: Iterable[str]) -> Iterator[Reach]:
        for scope in scopes:
            for named in self._rule.scopes:
                if self._is_wlcg and named.startswith(STORAGE):
                    yield _reach(scope, named)
                else:
                    yield "" if scope == named else None


def scopes_of(claims: Mapping[str, Any]) -> frozenset[str]:
    """The scopes of a token: words of a text, or a list."""
    said = claims.get("scope")
    return frozenset(said.split(" ") if isinstance(said, str) else texts(said)) - {""}


def is_capability(scope: str) -> bool:
    """Whether it is one of those that the WLCG profile defines."""
    return scope.startswith(_CAPABILITIES)


def texts(value: object) -> list[str]:
    """The texts in a claim that is one, or a list of them."""
    return [each for each in _listed(value) if isinstance(each, str)]


def _words(value: object) -> Iterator[str]:
    """The same, of numbers and truth values, too."""
    for each in _listed(value):
        if isinstance(each, str | int):
            yield str(each).lower() if isinstance(each, bool) else str(each)


def _listed(value: object) -> list[object]:
    return value if isinstance(value, list) else [value]


def _claim(claims: Mapping[str, Any], name: str) -> object:
    """The claim of this name, or, as ``a.b`` says, the field ``b`` of the claim ``a``."""
    if name in claims:
        return claims[name]
    first, dot, rest = name.partition(".")
    inner = claims.get(first)
    return _claim(inner, rest) if dot and isinstance(inner, dict) else None


def _reach(scope: str, named: str) -> Reach:
    """How far the capability ``scope`` of a token reaches where a rule has ``named``.

    The models of a rule are below its path: /tfaas/NAME below /tfaas. A capability holds for its
    path and all below.
    """
    what, _, path = scope.partition(":")
    wanted, _, base = named.partition(":")
    if what not in (wanted, _SUPERSETS.get(wanted)):
        return None
    held, area = _parts(path), _parts(base)
    if held is None or area is None:
        return None
    if held == area[: len(held)]:
        return ""
    is_model = len(held) == len(area) + 1 and held[:-1] == area
    return held[-1] if is_model else None


def _parts(path: str) -> list[str] | None:
    """Those of a path, decoded; None if it is not as RFC 3986 normalizes it."""
    parts = [unquote(part) for part in path.strip("/").split("/")] if path.strip("/") else []
    is_plain = all(part not in ("", ".", "..") and "/" not in part for part in parts)
    return parts if is_plain else None
