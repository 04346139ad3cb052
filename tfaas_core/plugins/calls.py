"""Calls of plugins: foreign code, of which any failure is an error that names the plugin."""

from __future__ import annotations

import inspect
import logging
import re
import reprlib
from collections.abc import Callable
from typing import Any, TypeVar

from tfaas_core.config import UnknownTable
from tfaas_core.errors import ConfigError, PluginError
from tfaas_core.plugins.ctrl_c import CtrlC
from tfaas_core.plugins.plugin import Plugin, broken
from tfaas_core.plugins.time_limit import TooLong, time_limit, told_of
from tfaas_core.plugins.told_ends import told_crashes, told_exits
from tfaas_core.system.output.one_line import described, one_line
from tfaas_core.system.output.stdout import stdout_is_stderr

IMPORT_LIMIT_S = 60.0
CALL_LIMIT_S = 10.0
EXAMINE_LIMIT_S = 150.0
"""More than a fork server may take, so that this can say itself what hangs."""

T = TypeVar("T")


class DoesNotReturn(PluginError):
    """The plugin did not come back in time. Whoever asks it again waits as long again."""


_log = logging.getLogger("tfaas.start")


def call(plugin: Plugin, where: str, function: Callable[[], T], limit_s: float | None = None) -> T:
    """What ``function``, which is the plugin's, returns. Raises PluginError, ConfigError.

    ``where`` is its name, or says what it is to do. ``limit_s``: None for the usual one.
    """
    limit_s = limit_s or CALL_LIMIT_S
    stuck = f"does not return from {where} within {limit_s:g} s"
    return _limited(plugin, limit_s, stuck, f"failed in {where}", function)


def load(plugin: Plugin, function: Callable[[], Any]) -> Any:
    """What the plugin's entry point names, which ``function`` imports. Raises PluginError."""
    stuck = f"cannot be imported within {IMPORT_LIMIT_S:g} s"

    def tell(taken_s: float) -> None:
        _log.warning(
            "plugin %s is still being imported after %g s; that may take %g s at most",
            plugin,
            taken_s,
            IMPORT_LIMIT_S,
        )

    with told_of(tell):
        return _limited(plugin, IMPORT_LIMIT_S, stuck, "cannot be imported", function)


def make(
    plugin: Plugin,
    doing: str,
    expected: type[T] | tuple[type[T], ...],
    function: Callable[[], Any],
    limit_s: float | None = None,
) -> T:
    """The ``expected`` object that ``function``, which is the plugin's, makes.

    ``doing`` says what it does, like "making the storage `tape`". Raises PluginError, and
    ConfigError if the function does.
    """

    value = call(plugin, doing, function, limit_s)
    if not isinstance(value, expected):
        kind = with_article(expected if isinstance(expected, type) else expected[0])
        raise broken(plugin, f"returned {shown(value)} in {doing}, expected {kind}")
    return value


def with_article(kind: type[Any]) -> str:
    """What messages call one of this kind, like ``an Observer``."""
    return f"{'an' if kind.__name__[0] in 'AEIOU' else 'a'} {kind.__name__}"


def shown(value: object) -> str:
    """``value``, which is foreign, short and in one line, and the same whenever it is made anew."""
    if inspect.iscoroutine(value):
        value.close()
    return one_line(_Repr().repr(value))


class _Repr(reprlib.Repr):
    def repr_instance(self, x: Any, level: int) -> str:
        try:
            text = re.sub(r" at 0x[0-9a-fA-F]+", "", repr(x))
        except Exception:
            return f"<{type(x).__name__} instance>"
        if len(text) <= self.maxother:
            return text
        half = (self.maxother - len(self.fillvalue)) // 2
        return f"{text[:half]}{self.fillvalue}{text[-half:]}"


def _limited(
    plugin: Plugin, limit_s: float, stuck: str, failed: str, function: Callable[[], T]
) -> T:
    too_long = DoesNotReturn(broken(plugin, stuck).message, plugin=plugin.module)
    ended = broken(plugin, f"{failed}: it ended the process")
    ctrl_c = CtrlC()
    try:
        with (
            stdout_is_stderr(),
            ctrl_c,
            told_crashes(),
            time_limit(limit_s, f"tfaas: {too_long.message}"),
            told_exits(f"tfaas: {ended.message}"),
        ):
            try:
                return function()
            except (TooLong, ConfigError) as error:
                if isinstance(error, UnknownTable):  # no configuration mends that
                    raise broken(plugin, f"{failed}: {error.message}") from error
                raise
            except BaseException as error:
                if ctrl_c.pressed:
                    raise KeyboardInterrupt from None
                raise broken(plugin, f"{failed}: {described(error)}") from error
    except TooLong:
        raise too_long from None
