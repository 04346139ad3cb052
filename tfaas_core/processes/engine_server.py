"""The engine server, ``tfaas serve-engine``: a pool behind a door, for servers elsewhere."""

from __future__ import annotations

import asyncio
import logging
import signal
import socket
from collections.abc import Callable

import msgspec

from tfaas_core import __version__
from tfaas_core.config import Config
from tfaas_core.engine.in_door.door import DoorSettings, PoolDoor
from tfaas_core.engine.in_door.session import ModelFiles
from tfaas_core.engine.in_parent.confinement import check_sandbox, confinement
from tfaas_core.engine.in_parent.fork_servers.fork_servers import ForkServers
from tfaas_core.engine.local import pool_of
from tfaas_core.engine.remote import (
    REMOTE,
    RemoteTable,
    check_token,
    host_tls,
    tls_warnings,
    token_of,
)
from tfaas_core.engine.shared.door_tls import HostTls
from tfaas_core.errors import ConfigError, StartupError
from tfaas_core.processes.server import one_sentence, storage_opened
from tfaas_core.system.lives.main_module import forget_main
from tfaas_core.system.loop.stopping import until_stopped
from tfaas_core.system.network.address import Address, listening, shown_address
from tfaas_core.system.output import logs
from tfaas_core.tools.start_warnings import start_warnings
from tfaas_core.wiring.composition import Composition

_BACKLOG = 256
_DRAIN_GRACE_S = 5.0

_log = logging.getLogger("tfaas.door")


def serve_engine(
    config: Config, host: str, port: int, announce: Callable[[str], object] | None = None
) -> int:
    """Runs until it is told to stop; returns the exit code. Raises StartupError.

    It loads the models of the configured storage, as ``[engine]`` says, whatever its ``kind``.
    ``announce`` is told where it listens, once it does; None: that is printed.
    """
    logs.configure(config.server.log_level, config.server.log_format, *config.plugin_folders)
    forget_main()
    with one_sentence(config, "the host cannot start"):
        composition = Composition.of(config)
        if config.engine.isolation == "inline":
            raise ConfigError(
                "a host needs processes for models, `model` or `shared` - at `$.engine.isolation`"
            )
        check_sandbox(config.engine)
        token = token_of(composition.config)
        check_token(token, host)
        tls = host_tls(composition.config)
        sandboxes = {"models": confinement(config.engine)}
        warnings = tls_warnings(composition.config)
        for warning in [*warnings, *start_warnings(composition, sandboxes)]:
            _log.warning("%s", warning)
        place = shown_address(host, port)
        remedy = "let it listen elsewhere by --listen"
        with listening(lambda why: StartupError(f"cannot listen on {place}: {why}; {remedy}")):
            listener = Address.of(host, port).bound()
            listener.listen(_BACKLOG)
        with listener, storage_opened(composition):
            asyncio.run(_serve(composition, listener, token, tls, announce or _print))
    return 0


def _print(place: str) -> None:
    print(f"TFaaS {__version__} runs models for other machines at {place}", flush=True)


async def _serve(
    composition: Composition,
    listener: socket.socket,
    token: str,
    tls: HostTls | None,
    announce: Callable[[str], object],
) -> None:
    config = composition.config
    table: RemoteTable = config.engine_settings(REMOTE)
    # Rows from other machines are counted in the place of the one HTTP worker.
    context = msgspec.structs.replace(composition.engine_context(), workers=1)
    pool = pool_of(context, ForkServers(context))
    storage, most = composition.storage, config.engine.max_queue_rows
    shelf = ModelFiles(storage.artifact, storage.stage, storage.discard)
    settings = DoorSettings(token, table.dead_after_s, most, config.limits, tls, table.calm_s)
    door = PoolDoor(pool, listener, settings, shelf)
    stop, at_once = asyncio.Event(), asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, _told_to_stop, stop, at_once)
    drain_limit_s = config.server.request_timeout_s + _DRAIN_GRACE_S
    try:
        await pool.start()
        door.start()
        announce(shown_address(*listener.getsockname()[:2]))
        await stop.wait()
        # Until all have gone elsewhere, or somebody does not want to wait for that.
        await until_stopped(at_once, door.drain(), drain_limit_s)
    finally:
        await door.close()
        await pool.close()


def _told_to_stop(stop: asyncio.Event, at_once: asyncio.Event) -> None:
    (at_once if stop.is_set() else stop).set()
