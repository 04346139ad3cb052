"""What is fuzzed: each a module of ``tests/fuzz/targets`` with a function ``check``."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tfaas_core.testing.fuzzing import MOST_HELD_S

CORPUS = Path(__file__).with_name("corpus")
"""A folder for each target: inputs to begin with, and all that ever failed."""

_CORE, _PLUGINS, _BACKENDS = "tfaas_core", "tfaas_plugins", "tfaas_backends"
_IN_THREADS_S = 1.0
"""What no event loop waits for."""
_MADE_UP_S = 10.0
"""The same, for what takes long to make up."""


class Target(msgspec.Struct, frozen=True):
    """``packages`` are watched. ``held_s``: the most time of the processor for an input."""

    name: str
    packages: tuple[str, ...] = (_CORE, _PLUGINS)
    held_s: float = MOST_HELD_S
    max_bytes: int = 4096

    @property
    def module(self) -> str:
        """Where its ``check`` is."""
        return f"tests.fuzz.targets.{self.name}"

    @property
    def corpus(self) -> Path:
        """Its folder."""
        return CORPUS / self.name


_TENSORFLOW = (f"{_BACKENDS}.runtimes.vetting", f"{_BACKENDS}.runtimes.saved_model")

TARGETS = (
    Target("json"),
    Target("msgpack"),
    Target("protobuf"),
    Target("tfserving", max_bytes=1 << 14),
    Target("oip", max_bytes=1 << 14),
    Target("image"),
    Target("multipart", (_CORE, "python_multipart")),
    Target("upload_form", (_CORE, "python_multipart")),
    Target("bundle", (_CORE, "tarfile"), _IN_THREADS_S, 1 << 14),
    Target("params", (_CORE, _PLUGINS, f"{_BACKENDS}.runtimes.saved_model")),
    Target("graph_def", _TENSORFLOW, _IN_THREADS_S, 1 << 14),
    Target("saved_model", _TENSORFLOW, _IN_THREADS_S, 1 << 14),
    Target("frames"),
    Target("messages"),
    Target("hello"),
    Target("http_head"),
    Target("http_chunks"),
    Target("http_lanes"),
    Target("grpc_opening"),
    Target("grpc_messages"),
    Target("tls"),
    Target("asking"),
    Target("config", (_CORE, _PLUGINS, "tomllib"), _IN_THREADS_S),
    Target("tfserving_messages"),
    Target("oip_messages"),
    Target("openapi", held_s=_MADE_UP_S),
    Target("rate_limit", (_CORE, _PLUGINS, "limits"), _IN_THREADS_S),
)
