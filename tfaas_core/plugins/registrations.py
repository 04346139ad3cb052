"""Registrations: which plugin has which name, media type, kind and path."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Sequence
from typing import TypeAlias

import msgspec

from tfaas_core.errors import PluginError
from tfaas_core.plugins.finding import is_builtin
from tfaas_core.plugins.plugin import Plugin, broken
from tfaas_core.routing.pattern import Pattern

_Key: TypeAlias = tuple[str, str]
_Order: TypeAlias = tuple[tuple[int, int], ...]


class Registration(msgspec.Struct, frozen=True):
    """``plugin`` registers, in ``hook``, the ``kind`` that is called ``name``, and so claims it.

    ``reason`` says what it is part of, like ``for its codec `csv```. ``implied``: it comes with
    another claim, and is not listed.
    """

    plugin: Plugin
    hook: str
    kind: str
    name: str
    reason: str = ""
    implied: bool = False

    @property
    def key(self) -> _Key:
        """Equal for claims that exclude each other."""
        return _key(self.kind, self.name)

    @property
    def path(self) -> str:
        """A route's; empty for all else."""
        return self.name.partition(" ")[2] if self.kind == "route" else ""

    @property
    def pattern(self) -> Pattern | None:
        """That of a route's path."""
        return Pattern.of(self.path) if self.kind == "route" else None

    def __str__(self) -> str:
        return f"the {self.kind} `{self.name}`{self.reason and ' '}{self.reason}"


class Registrations:
    """What the plugins ``found`` have claimed, each thing once."""

    def __init__(self, found: Sequence[Plugin]) -> None:
        active = [plugin.module for plugin in found if not plugin.disabled]
        self._order = {module: number for number, module in enumerate(active)}
        self._claims: dict[_Key, Registration] = {}
        # Only patterns of the same order tie.
        self._routes: defaultdict[_Order, dict[_Key, Registration]] = defaultdict(dict)
        self._notes: list[Registration] = []

    def forget(self, hook: str) -> None:
        """Drops what was claimed and noted in ``hook``, which is asked again."""
        for claims in (self._claims, *self._routes.values()):
            for key in [key for key, claim in claims.items() if claim.hook == hook]:
                del claims[key]
        self._notes = [note for note in self._notes if note.hook != hook]

    def note(self, registration: Registration) -> None:
        """Takes note of what excludes nothing else."""
        self._notes.append(registration)

    def add(self, claim: Registration) -> PluginError | None:
        """Takes note of ``claim``; of two that exclude each other, the one of the earlier plugin.

        Gives the error that blames the later plugin, which may be the other one.
        """
        key = claim.key
        other = self._claims.get(key)
        if other is None or other is claim:
            self._keep(key, claim)
            return self._tie(claim)
        if other.plugin == claim.plugin:
            return None if claim.implied else broken(claim.plugin, f"registers {claim} twice")
        first, second = self._in_order(other, claim)
        self._keep(key, first)
        return _clash(first, second)

    def _keep(self, key: _Key, claim: Registration) -> None:
        self._claims[key] = claim
        if claim.pattern is not None:
            self._routes[claim.pattern.order][key] = claim

    def _tie(self, claim: Registration) -> PluginError | None:
        """The error if another route matches the same paths, and neither is before the other."""
        pattern = claim.pattern
        if pattern is None:
            return None
        others = [other for other in self._routes[pattern.order].values() if other is not claim]
        # For another method of the same path, all is said of it.
        if any(other.plugin == claim.plugin and other.path == claim.path for other in others):
            return None
        for other in others:
            if other.pattern and pattern.ties_with(other.pattern):
                return _ambiguous(*self._in_order(other, claim))
        return None

    def _in_order(self, *claims: Registration) -> list[Registration]:
        return sorted(claims, key=lambda claim: self._order[claim.plugin.module])

    def owner(self, kind: str, name: str) -> Plugin:
        """Who claimed it; raises KeyError if nobody has."""
        return self._claims[_key(kind, name)].plugin

    def owners(self, kind: str) -> dict[str, Plugin]:
        """Who claimed what of this kind, by name."""
        return {claim.name: claim.plugin for claim in self._claims.values() if claim.kind == kind}

    def of(self, plugin: Plugin) -> list[str]:
        """What ``plugin`` claimed, or what was noted of it, each like ``codec json``."""
        claims = [claim for claim in self._claims.values() if not claim.implied]
        all_of = (each for each in (*claims, *self._notes) if each.plugin == plugin)
        return [f"{each.kind} {each.name}" for each in all_of]


def _ambiguous(first: Registration, second: Registration) -> PluginError:
    if first.plugin == second.plugin:
        whose, remedy = "", "rename one of them"
    else:
        whose = f" of plugin {first.plugin}"
        remedy = "rename it, or list one of the two plugins in [plugins] disabled"
    return PluginError(
        f"plugin {second.plugin} claims {second}, which matches some paths that the route "
        f"`{first.name}`{whose} matches, too, with as much text; {remedy}",
        plugin=second.plugin.module,
    )


def _clash(first: Registration, second: Registration) -> PluginError:
    """``second`` is to blame, because its plugin was installed beside the other."""
    if is_builtin(first.plugin) and not is_builtin(second.plugin):
        message = (
            f"plugin {second.plugin} claims {second}, which the built-in plugin "
            f"{first.plugin.module} has{first.reason and ' '}{first.reason}; rename it, or list "
            "one of the two plugins in [plugins] disabled"
        )
    else:
        message = (
            f"plugins {first.plugin} and {second.plugin} both claim {second}; "
            "list one of them in [plugins] disabled"
        )
    return PluginError(message, plugin=second.plugin.module)


def _key(kind: str, name: str) -> _Key:
    if kind != "route":
        return kind, name
    # Paths that differ only in what they call their fields, or in a slash at their end, match the
    # same requests.
    return kind, re.sub(r"{[^/}]*?(\.\.\.)?}", r"{\1}", name).rstrip("/")
