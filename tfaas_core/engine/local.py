"""The built-in engine, ``kind = "local"``: models in processes of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from pathlib import Path

import msgspec

from tfaas_core.configured_path import configured_path
from tfaas_core.engine.base import (
    Engine,
    EngineContext,
    EngineFactory,
    Supervisor,
    WorkerContext,
)
from tfaas_core.engine.in_parent.accelerating.accelerations import Accelerations
from tfaas_core.engine.in_parent.accelerating.conversion_cache import ConversionCache
from tfaas_core.engine.in_parent.accelerating.conversions import Conversions
from tfaas_core.engine.in_parent.confinement import check_sandbox, confinement
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.in_parent.modes.mode_cache import ModeCache
from tfaas_core.engine.in_parent.modes.mode_trials import ModeTrials
from tfaas_core.engine.in_parent.modes.modes import Modes
from tfaas_core.engine.in_parent.pool import Pool
from tfaas_core.engine.in_parent.settings import PoolSettings
from tfaas_core.engine.in_parent.thread_starter import ThreadStarter
from tfaas_core.engine.in_worker.local_engine import LocalEngine
from tfaas_core.engine.shared.mode import AUTO, USUAL
from tfaas_core.errors import ConfigError
from tfaas_core.hookspecs import hookimpl
from tfaas_core.runtime import LoadOptions

_RUN_LIMIT_GRACE_S = 1.0


class LocalEngineFactory(EngineFactory):
    """``kind = "local"``; ``isolation`` says how many processes the models get."""

    def supervisor(self, context: EngineContext) -> Supervisor | None:
        check_sandbox(context.config.engine)
        if context.config.engine.isolation == "inline":
            return None
        return pool_of(context, ForkServers(context))

    def engine(self, context: WorkerContext) -> Engine:
        if context.config.engine.isolation != "inline":
            return LocalEngine(context)
        # The meter of a pool of its own has room for the highest worker number.
        return LocalEngine(context, Pool(pool_settings(context), ThreadStarter(context.runtimes)))

    def sandbox(self, context: EngineContext) -> dict[str, str]:
        return confinement(context.config.engine)

    def examine(self, context: EngineContext) -> dict[str, str]:
        if context.config.engine.isolation == "inline":
            return {}
        return asyncio.run(_examine(context))


async def _examine(context: EngineContext) -> dict[str, str]:
    return await ForkServers(context).examine()


def pool_of(context: EngineContext, fork_servers: ForkServers) -> Pool:
    """A pool whose processes ``fork_servers`` start, with accelerators if they are wanted."""
    modes = modes_of(context, fork_servers, ModeCache(_folder(context, "mode_cache")))
    settings = msgspec.structs.replace(pool_settings(context), modes=modes)
    if not settings.options.accelerate:
        return Pool(settings, fork_servers)
    most = context.config.engine.max_model_memory_bytes, context.config.engine.max_memory_bytes
    conversions = Conversions(fork_servers, context.runtimes, *most)
    cache = ConversionCache(_folder(context, "accelerate_cache"))
    return Pool(settings, fork_servers, Accelerations(conversions, cache, settings.options))


def modes_of(
    context: EngineContext, fork_servers: ForkServers, cache: ModeCache | None = None
) -> Modes | None:
    """What chooses modes, if each model has a process of its own.

    Raises ConfigError if the configuration wants one that no runtime has.
    """
    engine, runtimes = context.config.engine, context.runtimes
    if engine.isolation != "model":
        return None
    known = [USUAL, AUTO, *sorted({mode for each in runtimes.values() for mode in each.modes})]
    if engine.mode not in known:
        raise ConfigError(
            f"no runtime has the mode {engine.mode!r}; there are: {', '.join(known)}"
            " - at `$.engine.mode`"
        )
    options = LoadOptions.of(engine, context.config.models)
    memory_bytes = engine.max_model_memory_bytes
    trials = ModeTrials(fork_servers, runtimes, options, memory_bytes, engine.tune_s)
    return Modes(engine.mode, runtimes, trials, cache)


def _folder(context: EngineContext, key: str) -> Path:
    """The folder that a key of ``[engine]`` names."""
    config = context.config
    value = getattr(config.engine, key)
    return configured_path(value, config.base_dir, f"$.engine.{key}").absolute()


def pool_settings(context: EngineContext) -> PoolSettings:
    """What the context's configuration says to a pool."""
    engine = context.config.engine
    return PoolSettings(
        workers=context.workers,
        one_process=engine.isolation != "model",
        max_loaded_models=engine.max_loaded_models,
        max_memory_bytes=engine.max_memory_bytes,
        options=LoadOptions.of(engine, context.config.models),
        run_limit_s=context.config.server.request_timeout_s + _RUN_LIMIT_GRACE_S,
        owners=context.owners,
        suspects={runtime: context.suspect(runtime) for runtime in context.runtimes},
        tell=context.tell,
        instances=engine.instances,
    )


@hookimpl
def tfaas_register_engines() -> Mapping[str, EngineFactory]:
    return {"local": LocalEngineFactory()}
