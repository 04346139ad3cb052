"""Which ops and functions a graph names, found by going through all of it without any thought.

The vetting looks where TensorFlow looks. This looks everywhere, so that what it finds is more.
"""

from __future__ import annotations

from collections.abc import Collection
from typing import Any

from tests.fuzz.mutations import parts

_NAMES = {
    "tensorflow.NodeDef": ("op",),
    "tensorflow.NameAttrList": ("name",),
    "tensorflow.GradientDef": ("function_name", "gradient_func"),
    "tensorflow.RegisteredGradient": ("gradient_func",),
}


def named_in(message: Any) -> set[str]:
    """All that is named anywhere in ``message`` where TensorFlow could run what has that name."""
    return {
        getattr(part, field)
        for part in parts(message)
        for field in _NAMES.get(part.DESCRIPTOR.full_name, ())
    }


def check_names(graph_def: Any, allowed: Collection[str]) -> None:
    """Raises AssertionError if the graph names what is neither allowed nor a function of it."""
    functions = {function.signature.name for function in graph_def.library.function}
    # An attribute may be a function without a name, which is none.
    found = named_in(graph_def) - functions - set(allowed) - {""}
    assert not found, f"let in, though it names {sorted(found)}"
    empty = [part for part in parts(graph_def) if part.DESCRIPTOR.name == "NodeDef" and not part.op]
    assert not empty, "let in with a node that is no op"
