"""Whether a single op may be used, and with these attributes."""

from __future__ import annotations

import re
from collections.abc import Callable, Collection, Mapping
from typing import Any

from tfaas_backends.runtimes.tensorflow.private import (
    dataset_options_pb2,
    dtypes,
    op_def_registry,
)
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.op_lists import ALLOWED_OPS, family_of
from tfaas_backends.runtimes.vetting.place import Place
from tfaas_core.errors import CannotServe

_HOW = "leave it out of the model, or have the server's operator allow it by models.allow_ops"

_STREAMS = re.compile(rb"stdout|stderr|log\((info|warning|error)\)")
_DESCRIPTORS = re.compile(rb"((local|bytes)://.*)?", re.DOTALL)
_EXECUTORS = re.compile(rb"(DEFAULT|SINGLE_THREADED_EXECUTOR)?")


def _matches(pattern: re.Pattern[bytes]) -> Callable[[Any], bool]:
    return lambda value: value.WhichOneof("value") == "s" and bool(pattern.fullmatch(value.s))


def _is_plain_type(value: Any) -> bool:
    return value.WhichOneof("value") == "type" and value.type not in (
        dtypes.variant.as_datatype_enum,
        dtypes.resource.as_datatype_enum,
    )


def _has_no_threads(value: Any) -> bool:
    """Of options of a data set: whether it leaves to TensorFlow how many threads there are."""
    try:
        options = dataset_options_pb2.Options.FromString(value.s)
    except Exception:  # of broken ones, the parser raises nearly anything
        return False
    return value.WhichOneof("value") == "s" and not options.threading_options.ListFields()


WATCHED: Mapping[str, tuple[str, Callable[[Any], bool], str]] = {
    "PrintV2": ("output_stream", _matches(_STREAMS), "may be a file"),
    "DecodeProtoV2": ("descriptor_source", _matches(_DESCRIPTORS), "may be a file"),
    "EncodeProto": ("descriptor_source", _matches(_DESCRIPTORS), "may be a file"),
    "FixedUnigramCandidateSampler": ("vocab_file", _matches(re.compile(b"")), "may be a file"),
    "PartitionedCall": ("executor_type", _matches(_EXECUTORS), "is none that is known"),
    "StatefulPartitionedCall": ("executor_type", _matches(_EXECUTORS), "is none that is known"),
    "OptionsDataset": ("serialized_options", _has_no_threads, "may start threads of its own"),
    "ParseTensor": ("out_type", _is_plain_type, "may be anything"),
    "DeserializeSparse": ("dtype", _is_plain_type, "may be anything"),
    "DeserializeManySparse": ("dtype", _is_plain_type, "may be anything"),
}
"""Ops that are allowed if an attribute is absent, so that it is harmless, or has such a value; and
what is told of any other."""

_PLACEHOLDERS = {"type", "int", "float", "bool", "shape"}
"""What may be left open until a function is called: what chooses no file, stream or function."""


class Ops:
    """The ops that a model may use: those of the list, ``also``, and its own ``functions``."""

    def __init__(self, also: Collection[str], functions: Collection[str]) -> None:
        # A function may have the name of an op that this TensorFlow lacks.
        self.allowed = ALLOWED_OPS.union(also).difference(functions)
        self._also = also
        self._functions = functions

    def check(self, op: str, attributes: Mapping[str, Any], place: Place) -> None:
        """Raises CannotServe if a node, or a function that is named, must not be this op."""
        if op not in self.allowed:
            raise refused(op, place)
        if op in WATCHED and op not in self._also:
            name, is_harmless, what = WATCHED[op]
            if name in attributes and not is_harmless(attributes[name]):
                raise place.refusal(f"uses {op!r}, whose {name} {what}: {_HOW}", op=op)

    def check_placeholder(self, op: str, name: str, place: Place) -> None:
        """Raises CannotServe if the attribute ``name`` of an op must not be left open."""
        definition = op_def_registry.get(op)
        attributes = () if definition is None else definition.attr
        kind = next((a.type for a in attributes if a.name == name), "")
        if kind.removeprefix("list(").removesuffix(")") not in _PLACEHOLDERS:
            raise place.refusal(
                f"uses {op!r}, whose {name!r} is left open until it is called, so that it cannot be"
                " checked: say it in the node itself",
                op=op,
            )


def refused(op: str, place: Place) -> CannotServe:
    """The answer to an upload that has an op at a place where it must not be."""
    family = family_of(op)
    if family is not None:
        return place.refusal(f"uses {op!r}, {family.reason}: {_HOW}", op=op)
    if op_def_registry.get(op) is None:
        version = tf.__version__
        return place.refusal(f"uses {op!r}, an op that TensorFlow {version} does not know", op=op)
    return place.refusal(f"uses {op!r}, which nobody has found to be harmless: {_HOW}", op=op)
