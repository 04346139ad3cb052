"""What would become too large is refused before it is parsed."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.tensorflow.private import saved_model_pb2
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.graph_vetting import MAX_FUNCTIONS, MAX_NODES, vet_graph
from tfaas_backends.runtimes.vetting.wire import MAX_PARTS, check_parts

from tests.backends.runtimes.vetting.graphs import harmless, splat
from tfaas_core.errors import BadBody, CannotServe
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions

MANY = 5_000_000
GraphDef = tf.compat.v1.GraphDef


def varint(number: int) -> bytes:
    low, high = number & 0x7F, number >> 7
    return bytes([low | 0x80]) + varint(high) if high else bytes([low])


def field(number: int, content: bytes) -> bytes:
    return varint(number << 3 | 2) + varint(len(content)) + content


def in_a_node(value: bytes) -> bytes:
    """A GraphDef of a node with an attribute of this value."""
    return field(1, field(5, field(1, b"a") + field(2, value)))


def many(number: int) -> bytes:
    """So many empty messages: two bytes each."""
    return field(number, b"") * MANY


@pytest.mark.parametrize(
    "content",
    [field(2, many(1)), in_a_node(field(1, many(8)))],
    ids=["functions", "constants of an attribute"],
)
def test_millions_of_empty_parts_are_refused(content: bytes) -> None:
    with pytest.raises(CannotServe, match=f"the model file holds more than {MAX_PARTS} fields"):
        check_parts(content, GraphDef, "the model file")


def test_in_each_graph_of_a_folder() -> None:
    content = field(2, field(2, many(1)))
    with pytest.raises(CannotServe, match=re.escape("saved_model.pb holds more than")):
        check_parts(content, saved_model_pb2.SavedModel, "saved_model.pb")


def test_a_file_is_refused_before_it_is_parsed(tmp_path: Path) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(many(1))
    with pytest.raises(CannotServe, match="no server could hold what becomes of it"):
        GraphRuntime().load(file, Params(), LoadOptions(policy="off"))
    with pytest.raises(CannotServe, match="no server could hold what becomes of it"):
        GraphRuntime().count_ops(file, Params())


def test_a_million_nodes_are_refused_before_they_are_looked_at() -> None:
    graph_def = GraphDef.FromString(field(1, b"") * (MAX_NODES + 1))
    with pytest.raises(CannotServe, match=f"the graph has {MAX_NODES + 1} nodes: more than"):
        vet_graph(graph_def, (), 0)


def test_thousands_of_functions_are_refused_likewise() -> None:
    graph_def = GraphDef.FromString(field(2, field(1, b"") * (MAX_FUNCTIONS + 1)))
    with pytest.raises(CannotServe, match=f"the graph has {MAX_FUNCTIONS + 1} functions: more"):
        vet_graph(graph_def, (), 0)


def test_large_constants_are_not_looked_into() -> None:
    graph_def = harmless()
    splat(graph_def, "c", [1]).attr["value"].tensor.tensor_content = bytes(50 << 20)
    check_parts(graph_def.SerializeToString(), GraphDef, "the model file")


LARGE = 9 << 20
"""Beyond what is parsed without being counted."""


@pytest.mark.parametrize(
    "content",
    [
        b"\x0a\xff\xff\xff\xff\x7f" + bytes(LARGE),
        b"\xff" * LARGE,
        b"\x0b" * LARGE,
        field(1, bytes(LARGE))[:-1],
        field(1, b"\x07" * LARGE),
    ],
    ids=["longer than the file", "endless number", "groups", "cut off", "no such kind"],
)
def test_what_is_no_message_is_left_to_the_parser(tmp_path: Path, content: bytes) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(content)
    with pytest.raises(BadBody, match="is not a frozen TensorFlow graph"):
        GraphRuntime().load(file, Params(), LoadOptions())


def nested(content: bytes, depth: int) -> bytes:
    """An attribute's value in which ``content`` lies so deep."""
    heads, size = [b""], len(content)
    for _ in range(depth):
        for before, number in ((field(1, b"f"), 2), (b"", 2), (b"", 10)):
            heads.append(before + varint(number << 3 | 2) + varint(size))
            size += len(heads[-1])
    return b"".join(reversed(heads)) + content


@pytest.mark.parametrize(("large", "error"), [(0, BadBody), (LARGE, CannotServe)])
def test_nesting_that_no_parser_takes_is_refused(
    tmp_path: Path, large: int, error: type[Exception]
) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(in_a_node(nested(bytes(large), 500)))
    with pytest.raises(error):
        GraphRuntime().load(file, Params(), LoadOptions())
