"""LoneEngine: an engine without a server, for commands that have models loaded."""

from __future__ import annotations

import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.codec import Codec
from tfaas_core.config import Config
from tfaas_core.engine.base import Candidate, Engine, EngineContext, Loaded, WorkerContext
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.in_parent.pool import Pool
from tfaas_core.engine.local import LocalEngineFactory, modes_of, pool_settings
from tfaas_core.models.model import ModelVersion
from tfaas_core.plugins import BUILTIN_PLUGINS, Plugins
from tfaas_core.predict.example_runs import ExampleRuns


class LoneEngine(msgspec.Struct, frozen=True):
    """An engine that runs each model in a process of its own, and what runs examples there."""

    context: EngineContext
    engine: Engine
    fork_servers: ForkServers
    pool: Pool
    runs: ExampleRuns
    codecs: Mapping[str, Codec[Any]]


def engine_context(config: Config, plugins: Plugins) -> EngineContext:
    """What a lone engine is made of; it isolates models, whatever ``config`` says of that."""
    engine_table = msgspec.structs.replace(config.engine, isolation="model")
    return EngineContext(
        msgspec.structs.replace(config, engine=engine_table),
        plugins.runtimes(),
        workers=1,
        owners=plugins.owners("runtime"),
        built_in=BUILTIN_PLUGINS,
    )


@asynccontextmanager
async def lone_engine(
    context: EngineContext,
    codecs: Mapping[str, Codec[Any]],
    artifact: Callable[[ModelVersion], Path] = lambda version: Path(),
) -> AsyncIterator[LoneEngine]:
    """One that runs; its processes are gone after the block.

    ``codecs`` read its examples, and ``artifact`` finds the files of stored versions.
    """
    config, fork_servers = context.config, ForkServers(context)
    modes = modes_of(context, fork_servers)
    supervisor = Pool(msgspec.structs.replace(pool_settings(context), modes=modes), fork_servers)
    theirs, ours = socket.socketpair()
    engine = LocalEngineFactory().engine(
        WorkerContext(
            config,
            context.runtimes,
            workers=1,
            worker=0,
            engine_socket=ours,
            artifact=artifact,
            owners=context.owners,
            built_in=context.built_in,
        )
    )
    await supervisor.start()
    supervisor.attach(0, theirs)
    await engine.start()
    try:
        runs = ExampleRuns(engine, codecs, config.engine.max_queue_rows)
        yield LoneEngine(context, engine, fork_servers, supervisor, runs, codecs)
    finally:
        await engine.close()
        await supervisor.close()


def record_of(candidate: Candidate, loaded: Loaded) -> ModelVersion:
    """What a server would store of a candidate, as far as its examples need it."""
    return ModelVersion(
        name=candidate.name,
        version=0,
        runtime=candidate.runtime,
        model_file="",
        labels_file="",
        params=candidate.params,
        signature=loaded.signature,
        mergeable=loaded.mergeable,
        merge_reason=loaded.merge_reason,
        labels=(),
        created="",
        size_bytes=0,
        checksum="",
        others=loaded.others,
    )
