"""Blocker: whose code an event loop is in, for the log."""

from __future__ import annotations

import sys
from collections.abc import Collection, Iterator
from types import FrameType

import msgspec

from tfaas_core.routing.culprit import by_module, plugin_of
from tfaas_core.system.loop.exits import run_through_exits

_CORE = {"tfaas_core": "TFaaS itself"}


class Blocker(msgspec.Struct, frozen=True):
    """``owner``, like ``plugin tfaas_csv``, is in ``function``, at ``line`` of ``file``. ``inner``
    is the function that it has called since; empty if that is the same, or none of Python's.
    """

    owner: str
    function: str
    file: str
    line: int
    inner: str = ""

    def __str__(self) -> str:
        called = f", which is in {self.inner}" if self.inner else ""
        return f"{self.owner}, in {self.function} ({self.file}:{self.line}){called}"


def find_blocker(
    thread: int, plugins: Collection[str], built_in: Collection[str]
) -> Blocker | None:
    """Whose code the event loop of ``thread`` is in, which ``run_through_exits`` runs.

    Of all functions that are being called, it is the innermost one of a plugin that is installed;
    if there is none, of one of ours; else of the core. ``plugins`` and ``built_in`` are their
    modules; all of its top-level module is a plugin's that is installed. None if the loop waits for
    something to do.
    """
    frames = list(_frames(thread))
    named = {module: f"plugin {name}" for module, name in by_module(plugins).items()}
    named = {module.partition(".")[0]: plugin for module, plugin in named.items()} | named
    ours = {module: f"the built-in plugin {name}" for module, name in by_module(built_in).items()}
    for names in (named, ours, _CORE):
        for frame in frames:
            if owner := plugin_of(_module(frame), names):
                return _blocker(owner, frame, frames[0])
    return _blocker(f"module {_module(frames[0])}", frames[0], frames[0]) if frames else None


def _frames(thread: int) -> Iterator[FrameType]:
    """What the loop has called, the innermost first."""
    frame = sys._current_frames().get(thread)
    while frame is not None and frame.f_code is not run_through_exits.__code__:
        yield frame
        frame = frame.f_back


def _module(frame: FrameType) -> str:
    return str(frame.f_globals.get("__name__", ""))


def _blocker(owner: str, frame: FrameType, innermost: FrameType) -> Blocker:
    code = frame.f_code
    inner = "" if innermost is frame else f"{innermost.f_code.co_qualname} of {_module(innermost)}"
    return Blocker(owner, code.co_qualname, code.co_filename, frame.f_lineno, inner)
