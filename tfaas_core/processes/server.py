"""The server, ``tfaas serve``: what the parent needs is opened, the parent runs, all is closed."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from functools import partial

from tfaas_core.config import Config
from tfaas_core.host import Host
from tfaas_core.processes.broken_start import start_error
from tfaas_core.processes.in_parent.parent import Parent
from tfaas_core.processes.in_parent.ports import Ports
from tfaas_core.processes.in_parent.renewal import Renewal
from tfaas_core.processes.in_parent.sandbox import Sandboxes
from tfaas_core.processes.in_parent.sweeping import sweep_storage
from tfaas_core.processes.in_parent.worker_server import WorkerServer
from tfaas_core.system.lives.main_module import forget_main
from tfaas_core.system.output import logs
from tfaas_core.system.resources.collecting import lasting
from tfaas_core.tools.start_warnings import start_warnings
from tfaas_core.wiring.composition import Composition

_log = logging.getLogger("tfaas.parent")


def serve(config: Config, demo: bool, read: Callable[[], Config]) -> int:
    """Runs the server until it is told to stop; returns the exit code. Raises StartupError.

    At SIGHUP, ``read`` gives the configuration as it is then.
    ``demo``: store the demo models, if they are not stored.
    """
    logs.configure(config.server.log_level, config.server.log_format, *config.plugin_folders)
    forget_main()
    with (
        one_sentence(config, "the server cannot start"),
        closing(WorkerServer(config)) as server,
    ):
        with lasting():
            composition = Composition.of(config)
            host = Host.at_rest(composition)
            host.routes()
            host.services()
        renewal = partial(Renewal, composition, read, host.live_tables)
        listeners = composition.plugins.listeners(composition.config)
        composition.check_reach(listeners)
        sandboxes = Sandboxes.of(composition)
        for warning in start_warnings(composition, sandboxes.parts):
            _log.warning("%s", warning)
        with Ports.bound(config, listeners) as ports, storage_opened(composition):
            _run(Parent(composition, ports, demo, renewal, sandboxes, server), config)
    return 0


@contextmanager
def one_sentence(config: Config, what: str) -> Iterator[None]:
    """Whatever is raised in the block is a StartupError, which begins with ``what``."""
    try:
        yield
    except (Exception, SystemExit) as error:  # a plugin may call exit()
        raise start_error(what, error, config) from error


@contextmanager
def storage_opened(composition: Composition) -> Iterator[None]:
    """The storage is open in the block, and swept."""
    storage, part = composition.storage, composition.storage_part
    with part.starting("opening"):
        storage.open()
    sweep_storage(composition)
    try:
        yield
    finally:
        with part.ending():
            storage.close()


def _run(parent: Parent, config: Config) -> None:
    try:
        asyncio.run(parent.run())
    except (Exception, SystemExit) as error:
        what = "cannot go on" if parent.has_served else "cannot start"
        raise start_error(f"the server {what}", error, config) from error
