"""Hosts for tests: everything that one HTTP worker has, in the process of the test."""

from __future__ import annotations

import json
import tempfile
from collections.abc import AsyncIterator, Callable, Iterator, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial
from pathlib import Path
from typing import Any, TypeAlias

import msgspec

from tfaas_core.config import load_config
from tfaas_core.engine.base import EngineFactory
from tfaas_core.hookspecs import hookimpl
from tfaas_core.host import Host
from tfaas_core.models.checksum import artifact_checksum
from tfaas_core.plugins import load_plugins
from tfaas_core.plugins.finding import ImportPlugin, built_in_plugins
from tfaas_core.plugins.plugin import Plugin
from tfaas_core.runtime import Runtime, Servable
from tfaas_core.storage import MODEL, StorageFactory
from tfaas_core.tensors import Array
from tfaas_core.testing.fake_engine import FakeEngine, FakeEngineFactory
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.function_servable import FunctionServable
from tfaas_core.testing.models import model_version
from tfaas_core.testing.runtime import FakeRuntime
from tfaas_core.wiring.composition import Composition

HEAVY_PLUGINS = ("tfaas_backends.runtimes.graph", "tfaas_backends.runtimes.saved_model")
"""The plugins whose import of TensorFlow takes longer than most tests."""

_FAKE = "fake"


class FakeModel(msgspec.Struct, frozen=True):
    """A model that a host serves, with what its uploader says about it."""

    servable: Servable
    params: dict[str, Any] = {}
    labels: Sequence[str] = ()


Answering: TypeAlias = FakeModel | Servable | Callable[..., Array | list[Array]]
"""A model; or what answers for it: a servable, or a function of arrays, which becomes a
FunctionServable of rows of 3 float32."""


@asynccontextmanager
async def host_of(
    plugins: Sequence[object] = (),
    models: Mapping[str, Answering] = {},
    settings: Sequence[str] = (),
    folder: Path | None = None,
    engine: FakeEngine | None = None,
) -> AsyncIterator[Host]:
    """A started host with these plugins, beside the built-in ones, and these models.

    ``plugins``: modules, or objects whose methods are hooks. What is installed is left out, and
    TensorFlow. ``models``: by name; the first one is the default model. ``settings`` are like
    ``engine.max_queue_rows=10``; of ``[plugins]``, those of the given plugins. Models are kept
    below ``folder``, a temporary one unless told otherwise, in a FakeStorage, and run by
    ``engine``, a FakeEngine unless told otherwise. What is uploaded to the host is loaded by the
    FakeRuntime, unless a plugin brings a runtime that claims it. Raises ConfigError, PluginError.
    """
    with tempfile.TemporaryDirectory(prefix="tfaas-host-") as own:
        storage = FakeStorage(folder or Path(own))
        storage.open()
        runs = engine or FakeEngine()
        for name, model in models.items():
            _store(storage, runs, name, model)
        defaults = [f"models.default={name}" for name in list(models)[:1]]
        chosen = [f"storage.kind={_FAKE}", f"engine.kind={_FAKE}"]
        disabled = f"plugins.disabled={json.dumps(HEAVY_PLUGINS)}"
        config = load_config(overrides=[*defaults, *chosen, disabled, *settings], environ={})
        given = _given([_Fakes(storage, runs), *plugins])
        found = load_plugins(config.plugins.disabled, sources=[*built_in_plugins(), *given])
        async with Host.started(Composition.of(config, found)) as host:
            yield host


class _Fakes:
    """The plugin that a host's storage, engine and runtime come from."""

    def __init__(self, storage: FakeStorage, engine: FakeEngine) -> None:
        self._storage = storage
        self._engine = engine

    @hookimpl
    def tfaas_register_storages(self) -> Mapping[str, StorageFactory]:
        return {_FAKE: lambda table, base_dir: self._storage}

    @hookimpl
    def tfaas_register_engines(self) -> Mapping[str, EngineFactory]:
        return {_FAKE: FakeEngineFactory(self._engine)}

    @hookimpl
    def tfaas_register_runtimes(self) -> Mapping[str, Runtime]:
        return {_FAKE: FakeRuntime()}


def _given(plugins: Sequence[object]) -> Iterator[tuple[Plugin, ImportPlugin]]:
    for number, plugin in enumerate(plugins):
        name = getattr(plugin, "__name__", "")
        kind = type(plugin)
        # As an entry point would name it; two of a kind are two plugins.
        name = name or f"{kind.__module__}:{kind.__qualname__}-{number}"
        yield Plugin(name, "under-test", "0"), partial(_same, plugin)


def _same(plugin: object) -> object:
    return plugin


def _store(storage: FakeStorage, engine: FakeEngine, name: str, answering: Answering) -> None:
    if callable(answering):
        answering = FunctionServable(answering)
    model = answering if isinstance(answering, FakeModel) else FakeModel(answering)
    signature = model.servable.signature
    record = model_version(
        signature.inputs,
        signature.outputs,
        batch=signature.batch,
        params=model.params,
        labels=model.labels,
        name=name,
        version=0,
    )
    with storage.claim(name) as claim:
        staging = storage.stage()
        (staging / MODEL).write_text("sum")
        record = msgspec.structs.replace(
            record, runtime=_FAKE, signature=signature, checksum=artifact_checksum(staging / MODEL)
        )
        engine.give(storage.commit(claim, staging, record), model.servable)
