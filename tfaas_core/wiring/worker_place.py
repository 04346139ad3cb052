"""WorkerPlace: where an HTTP worker stands among the others, and how it reaches the parent."""

from __future__ import annotations

import socket
from collections.abc import Awaitable, Callable, Mapping

import msgspec

from tfaas_core.decoding.decoder import OpenDecoder
from tfaas_core.events import Tell
from tfaas_core.shared_memory import SharedMemory
from tfaas_core.status import Fitness, ServerStatus
from tfaas_core.uploads.publisher import TellWorkers


class WorkerPlace(msgspec.Struct, frozen=True):
    """The place of one HTTP worker; by default, of a lone one without a parent.

    ``worker`` numbers it below ``workers``. ``engine_socket`` leads to the engine's supervisor,
    if there is one. ``look`` asks the parent how the server is, and ``fitness`` says what it has
    told last. ``tell`` has one of all workers
    tell its observers of an event. ``memory`` is what plugins share with all workers, by name;
    None: there are no others. ``open_decoder`` has the parent start a process that decodes; None:
    the worker decodes itself.
    """

    worker: int = 0
    workers: int = 1
    engine_socket: socket.socket | None = None
    announce: TellWorkers | None = None
    look: Callable[[], Awaitable[ServerStatus]] | None = None
    tell: Tell | None = None
    memory: Mapping[str, SharedMemory] | None = None
    fitness: Callable[[], Fitness] = Fitness
    open_decoder: OpenDecoder | None = None
