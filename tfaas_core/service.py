"""Service: methods that clients call by name, over gRPC say; it knows no library for that."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from typing import Protocol, TypeAlias

import msgspec

from tfaas_core.route import Request, Right


class Call(Request, Protocol):
    """What a method sees of a call, or of a message of a stream.

    The ``body`` is the message, and the ``headers`` are the metadata.
    """

    @property
    def left_s(self) -> float | None:
        """For how long the client still waits, in seconds; None: for as long as it takes."""
        ...


MethodHandler: TypeAlias = Callable[[Call], Awaitable[bytes]]
"""Answers a message with a message. It is called as handlers of routes are, and raises as they do;
where the client is gone, or its deadline has passed, it is cancelled."""

ErrorInStream: TypeAlias = Callable[[Call, str], bytes | None]
"""The message that tells of an error; None: the stream is to end with it."""


class Method(msgspec.Struct, frozen=True):
    """What clients call, and what it takes to be answered, for guards.

    ``public``: no guard is asked. ``streams``: messages come and go in a stream. Guards are asked
    before it begins. Each message is a call of its own for guards, limits and observers, and is
    answered by one message, in the order in which they came; several are at work at once.
    ``refused`` answers one that is refused, so that the stream goes on; without it, that ends.
    """

    handler: MethodHandler
    right: Right = "predict"
    public: bool = False
    streams: bool = False
    refused: ErrorInStream | None = None


class Service(msgspec.Struct, frozen=True):
    """Methods by name, under a name like ``inference.GRPCInferenceService``.

    ``files`` are the serialized FileDescriptorProtos that describe it, each behind those that it
    imports, for clients that ask what there is.
    """

    name: str
    methods: Mapping[str, Method]
    files: tuple[bytes, ...] = ()
