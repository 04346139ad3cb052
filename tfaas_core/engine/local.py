"""The built-in engine, ``kind = "local"``: models in processes of this machine."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from tfaas_core.configured_path import configured_path
from tfaas_core.engine.base import (
    Engine,
    EngineContext,
    EngineFactory,
    Supervisor,
    WorkerContext,
)
from tfaas_core.engine.in_parent.accelerations import Accelerations
from tfaas_core.engine.in_parent.confinement import check_sandbox, confinement
from tfaas_core.engine.in_parent.conversion_cache import ConversionCache
from tfaas_core.engine.in_parent.conversions import Conversions
from tfaas_core.engine.in_parent.fork_servers import ForkServers
from tfaas_core.engine.in_parent.pool import Pool
from tfaas_core.engine.in_parent.settings import PoolSettings
from tfaas_core.engine.in_parent.thread_starter import ThreadStarter
from tfaas_core.engine.in_worker.local_engine import LocalEngine
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
    settings, config = pool_settings(context), context.config
    if not settings.options.accelerate:
        return Pool(settings, fork_servers)
    key = "$.engine.accelerate_cache"
    folder = configured_path(config.engine.accelerate_cache, config.base_dir, key)
    memory_bytes = config.engine.max_model_memory_bytes
    conversions = Conversions(fork_servers, context.runtimes, memory_bytes)
    cache = ConversionCache(folder.absolute())
    return Pool(settings, fork_servers, Accelerations(conversions, cache, settings.options))


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
