"""Inquiry: asks each plugin what it registers, and holds the answers to the hooks."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from typing import Any, TypeAlias

import pluggy

from tfaas_core.errors import PluginError, StartupError
from tfaas_core.plugins import checks
from tfaas_core.plugins.calls import DoesNotReturn, call, shown, with_article
from tfaas_core.plugins.plugin import Plugin, broken

OnError: TypeAlias = Callable[[StartupError], None]
"""Takes what is wrong with a plugin, or with its table. If it returns, all others are asked."""

Check: TypeAlias = Callable[[], Iterator[str]]
"""Yields clauses that say what is wrong with something registered."""

Read: TypeAlias = Callable[[Callable[..., Any], Mapping[str, Any]], Any]
"""Calls a hook with its arguments, and makes of its result what is to be checked."""

_MOST_OBJECTS = 10_000


class Inquiry:
    """What the plugins ``found`` answer; what is wrong with that goes to ``on_error``."""

    def __init__(
        self, manager: pluggy.PluginManager, found: Sequence[Plugin], on_error: OnError
    ) -> None:
        self.on_error = on_error
        self._manager = manager
        self._found = found
        self._hung: set[tuple[str, str]] = set()

    def objects(self, hook: str, expected: type[Any], **given: Any) -> Iterator[tuple[Plugin, Any]]:
        """Each ``expected`` object of an iterable that a hook returns, and whose it is."""
        for plugin, result in self._ask(hook, given):
            if not isinstance(result, list):
                self._wrong(plugin, hook, result, f"an iterable of {expected.__name__}")
                continue
            for value in result:
                if isinstance(value, expected):
                    yield plugin, value
                else:
                    self._wrong(plugin, hook, value, with_article(expected))

    def named(
        self, hook: str, expected: str, fits: Callable[[Any], bool], **given: Any
    ) -> Iterator[tuple[Plugin, str, Any]]:
        """Each value, and its name, of a mapping that a hook returns, and whose it is."""
        for plugin, result in self._ask(hook, given):
            if not isinstance(result, dict):
                self._wrong(plugin, hook, result, f"a mapping of names to {expected}")
                continue
            for name, value in result.items():
                if not fits(value):
                    self._wrong(plugin, hook, {name: value}, f"a mapping of names to {expected}")
                elif self.is_right(plugin, hook, partial(checks.wrong_with_name, hook, name)):
                    yield plugin, name, value

    def singles(
        self, hook: str, expected: type[Any], called: str, **given: Any
    ) -> Iterator[tuple[Plugin, Any]]:
        """The one ``expected`` object that a hook returns, ``called`` so, and whose it is."""
        for plugin, result in self._ask(hook, given, _returned):
            if isinstance(result, expected):
                yield plugin, result
            else:
                self._wrong(plugin, hook, result, called)

    def is_right(self, plugin: Plugin, hook: str, check: Check) -> bool:
        """Whether ``check``, which may read attributes of a foreign object, yields nothing."""
        try:
            complaints = call(plugin, hook, lambda: list(check()))
        except PluginError as error:
            self.on_error(error)
            return False
        for complaint in complaints:
            self.on_error(broken(plugin, complaint))
        return not complaints

    def _ask(
        self, hook: str, given: Mapping[str, Any], read: Read | None = None
    ) -> Iterator[tuple[Plugin, Any]]:
        """Calls each plugin by itself, which pluggy does not do, to know who answered what.

        One whose hook has not come back once is not asked again.
        """
        for plugin, implementation in self._implementations(hook):
            if (plugin.module, hook) in self._hung:
                continue
            arguments = {name: given[name] for name in implementation.argnames}
            asked = partial(read or _collected, implementation.function, arguments)
            try:
                result = call(plugin, hook, asked)
            except StartupError as error:
                if isinstance(error, DoesNotReturn):
                    self._hung.add((plugin.module, hook))
                self.on_error(error)
            else:
                yield plugin, result

    def _implementations(self, hook: str) -> list[tuple[Plugin, pluggy.HookImpl]]:
        implementations = getattr(self._manager.hook, hook).get_hookimpls()
        active = [plugin for plugin in self._found if not plugin.disabled]
        found = [(p, i) for p in active for i in implementations if i.plugin_name == p.module]
        # Only hooks whose order means something take these two options.
        return sorted(found, key=lambda pair: pair[1].trylast - pair[1].tryfirst)

    def _wrong(self, plugin: Plugin, hook: str, got: object, expected: str) -> None:
        self.on_error(broken(plugin, f"returned {shown(got)} from {hook}, expected {expected}"))


def _returned(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """What a hook returns."""
    return function(**arguments)


def _collected(function: Callable[..., Any], arguments: Mapping[str, Any]) -> Any:
    """What a hook returns: a mapping as a dict, any other iterable as a list."""
    result = function(**arguments)
    if isinstance(result, Mapping):
        return dict(result)
    if not isinstance(result, Iterable) or isinstance(result, str | bytes):
        return result
    objects = list(islice(result, _MOST_OBJECTS + 1))
    if len(objects) > _MOST_OBJECTS:
        raise ValueError(f"it returns more than {_MOST_OBJECTS} objects")
    return objects
