"""An HTTP worker: a process with a Host, and what answers on the shared listening sockets."""

from __future__ import annotations

import asyncio
import gc
import logging
import os
import pickle
import signal
import socket
import sys
from collections.abc import Iterator
from contextlib import AbstractContextManager, AsyncExitStack, contextmanager, nullcontext
from functools import partial

# First: behind typing_extensions, which msgspec imports, its own import takes twice as long.
import numpy  # noqa: F401

# isort: split
import msgspec
import uvloop

from tfaas_core.config import Config
from tfaas_core.errors import TfaasError
from tfaas_core.events import ModelEvent
from tfaas_core.host import Host
from tfaas_core.plugins import BUILTIN_PLUGINS
from tfaas_core.plugins.finding import modules_of
from tfaas_core.processes.broken_start import start_error
from tfaas_core.processes.in_worker.fitness import KnownFitness
from tfaas_core.processes.in_worker.front import Front
from tfaas_core.processes.in_worker.last_tasks import end_soon
from tfaas_core.processes.in_worker.refusals import explain_refusals
from tfaas_core.processes.in_worker.reserve import Roster, Turns
from tfaas_core.processes.in_worker.watchdog import Watchdog
from tfaas_core.processes.messages import (
    Announce,
    CannotStart,
    Drain,
    Happened,
    HaveDecoder,
    Look,
    Looked,
    NeedDecoder,
    Notice,
    Ping,
    Pong,
    Refresh,
    Refreshed,
    Renew,
    Renewed,
    Serving,
    ToHttpWorker,
)
from tfaas_core.routing.culprit import culprit
from tfaas_core.shared_memory import SharedMemory
from tfaas_core.status import ServerStatus
from tfaas_core.system.links.link import Link
from tfaas_core.system.loop.exits import run_through_exits
from tfaas_core.system.loop.tasks import Tasks
from tfaas_core.system.loop.threads import Threads
from tfaas_core.system.output import logs
from tfaas_core.system.output.stdout import give_up_stdout
from tfaas_core.system.resources.collecting import lasting
from tfaas_core.tools.demo import publish_demo
from tfaas_core.wiring.composition import Composition
from tfaas_core.wiring.worker_place import WorkerPlace

_exit_at_once = os._exit
"""As it is before any plugin is called: what ends the process then is not that plugin."""

_log = logging.getLogger("tfaas.worker")


class WorkerArguments(msgspec.Struct, frozen=True):
    """What the parent hands to a new worker.

    ``listener`` is for HTTP, and ``others`` for the listeners of plugins, by name.
    ``memory`` is what plugins share with all workers. ``engine_socket`` is None if the engine has
    no supervisor. ``roster`` is None if all workers take connections at all times. ``demo``: store
    the demo models, if they are not stored.
    """

    config: Config
    worker: int
    workers: int
    listener: socket.socket
    others: dict[str, socket.socket]
    memory: dict[str, SharedMemory]
    control: socket.socket
    engine_socket: socket.socket | None
    roster: Roster | None
    demo: bool


def main(arguments: WorkerArguments) -> None:
    """The whole life of a worker process."""
    # Ctrl-C reaches the whole process group; the parent decides when a worker goes.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    give_up_stdout()
    config, server = arguments.config, arguments.config.server
    if server.sandbox != "off":
        explain_refusals()
    logs.configure(server.log_level, server.log_format, *config.plugin_folders)
    with asyncio.Runner(loop_factory=_new_loop) as runner:
        run_through_exits(runner, _serve(arguments), partial(_tell_of_exit, config))
        end_soon(runner.get_loop(), lambda: modules_of(config) - {*BUILTIN_PLUGINS}, _end)
    _end()


def _end() -> None:
    # A thread of a plugin, or of TensorFlow under isolation "inline", may be anywhere: the end of
    # the interpreter would wait for it, or abort in it.
    logging.shutdown()
    sys.stderr.flush()
    _exit_at_once(0)


def _tell_of_exit(config: Config, error: BaseException) -> None:
    plugin = culprit(error, modules_of(config))
    who = f"plugin {plugin} calls" if plugin else "something calls"
    _log.error("%s exit beside requests; this HTTP worker serves on", who, exc_info=error)


def _new_loop() -> asyncio.AbstractEventLoop:
    loop = uvloop.new_event_loop()
    loop.set_default_executor(Threads())
    return loop


async def _serve(arguments: WorkerArguments) -> None:
    await HttpWorker(arguments).run()


class HttpWorker:
    """Serves until the parent says drain, and ends at once when the parent is gone."""

    def __init__(self, arguments: WorkerArguments) -> None:
        self._arguments = arguments
        self._link: Link[ToHttpWorker] = Link(
            arguments.control, ToHttpWorker, self._received, self._parent_gone, "the parent"
        )
        self._host: asyncio.Future[Host] = asyncio.get_running_loop().create_future()
        self._draining = asyncio.Event()
        self._could_read = True
        self._fitness = KnownFitness()
        self._tasks = Tasks(_log)

    async def run(self) -> None:
        """The worker's life in its event loop."""
        async with AsyncExitStack() as started:
            try:
                host, front = await self._start(started)
            except BaseException as error:  # a plugin may call exit()
                await self._give_up(started, error)
                return
            _spare_the_collector()
            started.push_async_callback(self._tasks.cancel)
            started.enter_context(_watched(host))
            self._host.set_result(host)
            self._link.send(Serving(host.observers.hear_events))
            if self._arguments.demo:
                self._tasks.spawn(self._publish_demo(host))
            with self._turns(front):
                await self._draining.wait()
            await front.drain()

    async def _start(self, started: AsyncExitStack) -> tuple[Host, Front]:
        arguments = self._arguments
        place = WorkerPlace(
            arguments.worker,
            arguments.workers,
            arguments.engine_socket,
            self._announce,
            self._look,
            self._tell,
            arguments.memory,
            self._fitness.now,
            None if arguments.config.server.decoders == "off" else self._open_decoder,
        )
        with lasting():
            composition = Composition.of(arguments.config)
        host = await started.enter_async_context(Host.started(composition, place))
        front = Front(host, arguments.listener, arguments.others)
        started.push_async_callback(front.drain)
        with lasting():
            await front.start()
        return host, front

    def _turns(self, front: Front) -> AbstractContextManager[object]:
        roster = self._arguments.roster
        if roster is None:
            return nullcontext()
        return Turns(roster, self._arguments.worker, front.http, self._tasks)

    async def _give_up(self, started: AsyncExitStack, error: BaseException) -> None:
        """Ends what was started, and then tells the parent, which kills whom it hears this from."""
        why = start_error("an HTTP worker cannot start", error, self._arguments.config).message
        try:
            await started.aclose()
        finally:
            self._link.send(CannotStart(why))

    async def _publish_demo(self, host: Host) -> None:
        try:
            for line in await publish_demo(host):
                self._link.send(Notice(line))
        except TfaasError as error:
            self._link.send(Notice(f"the demo model cannot be stored: {error.message}"))

    async def _announce(self, name: str) -> None:
        await self._link.ask(partial(Announce, name=name))

    async def _look(self) -> ServerStatus:
        looked: Looked = await self._link.ask(Look)
        return looked.status

    def _tell(self, event: ModelEvent) -> None:
        self._link.send(Happened(event))

    async def _open_decoder(self, work: str) -> tuple[socket.socket, int]:
        descriptors: list[int] = await self._link.ask(partial(NeedDecoder, work=work))
        if len(descriptors) != 2:
            for descriptor in descriptors:
                os.close(descriptor)
            raise OSError("there is no room for another process")
        return socket.socket(fileno=descriptors[0]), descriptors[1]

    def _received(self, message: ToHttpWorker, descriptors: list[int]) -> None:
        match message:
            case HaveDecoder():
                if not self._link.answer(message.call, descriptors):
                    for descriptor in descriptors:
                        os.close(descriptor)
            case Refresh():
                self._tasks.spawn(self._refresh(message))
            case Renew():
                self._tasks.spawn(self._renew(message))
            case Happened():
                # Nothing is sent before this worker has said that it serves.
                self._host.result().observers.happened(message.event)
            case Ping():
                self._fitness.told(message.fitness)
                self._link.send(Pong())
            case Drain():
                self._fitness.leaving()
                self._draining.set()

    async def _refresh(self, message: Refresh) -> None:
        catalog = (await self._host).catalog
        could = True
        try:
            if message.name:
                await catalog.refresh(message.name)
            else:
                await catalog.load()
        except TfaasError as error:
            could = False
            if self._could_read:
                _log.warning("the models cannot be read at the moment: %s", error.message)
        except asyncio.CancelledError:
            raise
        except BaseException:  # a storage may call exit()
            could = False
            _log.exception("could not refresh %r", message.name)
        self._could_read = could
        self._link.send(Refreshed(message.call, could))

    async def _renew(self, message: Renew) -> None:
        host = await self._host
        could = True
        try:
            host.renew(pickle.loads(message.config))
        except (Exception, SystemExit) as error:  # a plugin may call exit()
            could = False
            wrong = start_error("an HTTP worker keeps what it had", error, host.config)
            _log.error("%s", wrong.message)
        self._link.send(Renewed(message.call, could))

    def _parent_gone(self) -> None:
        _exit_at_once(1)


@contextmanager
def _watched(host: Host) -> Iterator[None]:
    plugins = {plugin.module for plugin in host.plugins.found if not plugin.disabled}
    watchdog = Watchdog(plugins.difference(BUILTIN_PLUGINS), BUILTIN_PLUGINS)
    watchdog.start()
    try:
        yield
    finally:
        watchdog.stop()


def _spare_the_collector() -> None:
    """What is there now stays for good, and a request leaves hardly a cycle behind."""
    gc.freeze()
    gc.set_threshold(20_000, 20, 20)
