"""A pool of messages of our own: TFaaS's, and those of other servers, whatever else is there.

Generated modules share one pool, in which there may be one message of a name. Who imports
TensorFlow, ``tensorflow_serving`` or ``tritonclient`` beside this server has their messages there.
Ours are made of descriptors, in a pool that nobody else sees: their names and numbers are the same,
so that each reads the other's bytes, but their classes are not. Nor do they ask for a version of
protobuf, as generated modules do.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Any, TypeAlias

from google.protobuf.descriptor_pb2 import FileDescriptorSet  # type: ignore[import-untyped]
from google.protobuf.descriptor_pool import DescriptorPool  # type: ignore[import-untyped]
from google.protobuf.message_factory import GetMessageClass  # type: ignore[import-untyped]

MessageClass: TypeAlias = Any
"""A class of messages: ``google.protobuf.message.Message``, with fields that no type tells."""

_FILE = Path(__file__).parent / "protos" / "descriptors.binpb"


@cache
def private_pool() -> Any:
    """The DescriptorPool that holds what ``make proto`` has read, and what that imports.

    It is for reflection, too: ``FindServiceByName`` has the methods of a service.
    """
    pool = DescriptorPool()
    # Each file comes after those that it imports.
    for file in FileDescriptorSet.FromString(_FILE.read_bytes()).file:
        pool.Add(file)
    return pool


@cache
def message_class(full_name: str) -> MessageClass:
    """The class of messages called, say, ``tensorflow.TensorProto``; raises KeyError."""
    return GetMessageClass(private_pool().FindMessageTypeByName(full_name))


@cache
def files_of(service: str) -> tuple[bytes, ...]:
    """The file that describes ``service``, behind all that it imports, as serialized descriptors.

    Raises KeyError.
    """
    files: dict[str, bytes] = {}

    def add(file: Any) -> None:
        for imported in file.dependencies:
            add(imported)
        files.setdefault(file.name, file.serialized_pb)

    add(private_pool().FindServiceByName(service).file)
    return tuple(files.values())
