"""Attributes that choose what must not be chosen, or cannot be checked."""

from __future__ import annotations

from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.vetting.graphs import Hostile, add, call, splat

OPEN = "is left open until it is called"


def stream(graph_def: Any) -> None:
    add(graph_def, "bad", "PrintV2", "x").attr["output_stream"].s = b"file:///tmp/x"


def stream_left_open(graph_def: Any) -> None:
    node = graph_def.library.function[0].node_def.add(name="bad", op="PrintV2", input=["a"])
    node.attr["output_stream"].placeholder = "stream"


def stream_of_a_func(graph_def: Any) -> None:
    named = call(graph_def, "bad", "PrintV2").attr["f"].func
    named.attr["output_stream"].s = b"file:///tmp/x"


def vocabulary(graph_def: Any) -> None:
    add(graph_def, "bad", "FixedUnigramCandidateSampler").attr["vocab_file"].s = b"/etc/passwd"


def vocabulary_left_open(graph_def: Any) -> None:
    node = add(graph_def, "bad", "FixedUnigramCandidateSampler")
    node.attr["vocab_file"].placeholder = "file"


def descriptors(graph_def: Any) -> None:
    add(graph_def, "bad", "DecodeProtoV2", "x").attr["descriptor_source"].s = b"/etc/passwd"


def descriptors_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "EncodeProto", "x").attr["descriptor_source"].placeholder = "file"


def executor(graph_def: Any) -> None:
    call(graph_def, "bad", "negate").attr["executor_type"].s = b"OTHER"


def function_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "StatelessWhile").attr["body"].placeholder = "f"


def functions_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "StatelessCase").attr["branches"].placeholder = "f"


def unknown_attribute_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "NoOp").attr["_hidden"].placeholder = "f"


def threads_of_a_data_set(graph_def: Any) -> None:
    options = tf.data.Options()
    options.threading.private_threadpool_size = 1 << 20
    node = add(graph_def, "bad", "OptionsDataset", "x")
    node.attr["serialized_options"].s = options._to_proto().SerializeToString()


def broken_options_of_a_data_set(graph_def: Any) -> None:
    add(graph_def, "bad", "OptionsDataset", "x").attr["serialized_options"].s = b"\xff"


def constant_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "Const").attr["value"].placeholder = "f"


def parsed_to_anything(graph_def: Any) -> None:
    node = add(graph_def, "bad", "ParseTensor", "x")
    node.attr["out_type"].type = tf.variant.as_datatype_enum


def sparse_of_anything(graph_def: Any) -> None:
    node = add(graph_def, "bad", "DeserializeSparse", "x")
    node.attr["dtype"].type = tf.variant.as_datatype_enum


def type_left_open(graph_def: Any) -> None:
    add(graph_def, "bad", "ParseTensor", "x").attr["out_type"].placeholder = "T"


def constant_of(dtype: Any) -> Any:
    return lambda graph_def: splat(graph_def, "bad", [1], dtype)


ATTRIBUTES = {
    "a stream": Hostile(stream, ["bad"], "PrintV2", "output_stream may be a file"),
    "an open stream": Hostile(stream_left_open, ["negate", "bad"], "PrintV2", "output_stream"),
    "a stream of a func": Hostile(stream_of_a_func, ["bad", "f"], "PrintV2", "output_stream"),
    "a vocabulary": Hostile(vocabulary, ["bad"], "FixedUnigramCandidateSampler", "vocab_file"),
    "an open vocabulary": Hostile(
        vocabulary_left_open, ["bad"], "FixedUnigramCandidateSampler", "vocab_file"
    ),
    "descriptors": Hostile(descriptors, ["bad"], "DecodeProtoV2", "descriptor_source"),
    "open descriptors": Hostile(descriptors_left_open, ["bad"], "EncodeProto", "may be a file"),
    "an executor": Hostile(executor, ["bad"], "PartitionedCall", "executor_type"),
    "threads": Hostile(threads_of_a_data_set, ["bad"], "OptionsDataset", "may start threads"),
    "broken options": Hostile(
        broken_options_of_a_data_set, ["bad"], "OptionsDataset", "serialized_options may"
    ),
    "an open function": Hostile(function_left_open, ["bad"], "StatelessWhile", OPEN),
    "open functions": Hostile(functions_left_open, ["bad"], "StatelessCase", OPEN),
    "an open attribute": Hostile(unknown_attribute_left_open, ["bad"], "NoOp", OPEN),
    "an open constant": Hostile(constant_left_open, ["bad"], "Const", OPEN),
    "parsed to anything": Hostile(parsed_to_anything, ["bad"], "ParseTensor", "out_type"),
    "sparse of anything": Hostile(sparse_of_anything, ["bad"], "DeserializeSparse", "dtype"),
    "an open type": Hostile(type_left_open, ["bad"], "ParseTensor", "out_type"),
    "a constant variant": Hostile(constant_of(tf.variant), ["bad"], says="cannot be checked"),
    "a constant resource": Hostile(constant_of(tf.resource), ["bad"], says="cannot be checked"),
}
