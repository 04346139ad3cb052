"""What TensorFlow says of its ops: defaults of attributes, and which ones keep state."""

from __future__ import annotations

import re
from functools import cache
from typing import Any

from tfaas_backends.runtimes.tensorflow.private import op_def_registry

_WITHOUT_CARE = re.compile(r"Empty|(Deep|Inplace|_|Xla|PyFunc).*")
"""Ops that their definitions call pure, though they write into inputs or read what is not set."""


@cache
def defaults(op: str) -> dict[str, Any]:
    """The AttrValues that attributes have if a node does not give them."""
    definition = op_def_registry.get(op)
    attributes = [] if definition is None else definition.attr
    return {a.name: a.default_value for a in attributes if a.HasField("default_value")}


@cache
def is_pure(op: str) -> bool:
    """Whether the op computes its outputs of its inputs, and of nothing else."""
    definition = op_def_registry.get(op)
    if definition is None or definition.is_stateful or _WITHOUT_CARE.fullmatch(op):
        return False
    return not any(a.is_ref for a in (*definition.input_arg, *definition.output_arg))


@cache
def takes_functions(op: str) -> bool:
    """Whether the op may call functions."""
    definition = op_def_registry.get(op)
    attributes = [] if definition is None else definition.attr
    return any(attribute.type in ("func", "list(func)") for attribute in attributes)


@cache
def outputs_of(op: str) -> tuple[tuple[str, str, str], ...]:
    """Of each output: its name, and the attributes that tell how many tensors it is, if any."""
    definition = op_def_registry.get(op)
    arguments = [] if definition is None else definition.output_arg
    return tuple((a.name, a.number_attr, a.type_list_attr) for a in arguments)
