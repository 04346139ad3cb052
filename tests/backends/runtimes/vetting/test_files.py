"""Models that reach for files, or for what only their makers have, as TensorFlow writes them."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import (
    function,
    load,
    save,
    v1,
)
from tfaas_core.errors import CannotServe
from tfaas_core.runtime import Servable

Serve = Callable[..., Servable]


def wrapped(body: Callable[[Any], Any], outer: str) -> Callable[[Any], Any]:
    """``body``, called by the graph itself, by a function of it, or in a loop or branch."""
    inner = tf.function(body, autograph=False)
    bodies: dict[str, Callable[[Any], Any]] = {
        "graph": body,
        "function": tf.function(lambda x: inner(x), autograph=False),
        "loop": lambda x: tf.while_loop(lambda y: y[0] == "", lambda y: (inner(y),), (x,))[0],
        "branch": lambda x: tf.cond(tf.size(x) > 0, lambda: inner(x), lambda: x),
    }
    return bodies[outer]


def read(x: Any) -> Any:
    return x + tf.io.read_file(x[0])


def write(x: Any) -> Any:
    with tf.control_dependencies([tf.io.write_file(x[0], "gone")]):
        return tf.identity(x)


def list_files(x: Any) -> Any:
    return tf.io.matching_files(x)


def read_records(x: Any) -> Any:
    return tf.data.TextLineDataset(x).reduce("", lambda state, line: state + line) + x


def print_to_a_file(x: Any) -> Any:
    with tf.control_dependencies([tf.print(x, output_stream="file:///tmp/printed")]):
        return tf.identity(x)


def run_python(x: Any) -> Any:
    return tf.ensure_shape(tf.numpy_function(lambda x: x, [x], tf.string), [None])


def restore(x: Any) -> Any:
    restored = tf.raw_ops.Restore(file_pattern=x[0], tensor_name="w", dt=tf.string)
    return tf.ensure_shape(restored, [None])


def decode_by_file(x: Any) -> Any:
    _, values = tf.io.decode_proto(x, "M", ["f"], [tf.string], descriptor_source="/etc/passwd")
    return values[0][:, 0]


@pytest.mark.parametrize(
    ("body", "message"),
    [
        (read, "uses 'ReadFile', which reaches for files"),
        (write, "uses 'WriteFile', which reaches for files"),
        (list_files, "uses 'MatchingFiles', which reaches for files"),
        (read_records, "uses 'TextLineDataset', which reaches for files"),
        (restore, "uses 'Restore', which reaches for files"),
        (print_to_a_file, "uses 'PrintV2', whose output_stream may be a file"),
        (decode_by_file, "uses 'DecodeProtoV2', whose descriptor_source may be a file"),
        (run_python, r"uses 'PyFunc', which runs Python code that stayed behind"),
    ],
)
@pytest.mark.parametrize("outer", ["graph", "function", "loop", "branch"])
def test_an_op_that_a_model_must_not_run_is_refused(
    tmp_path: Path, serve: Serve, body: Callable[[Any], Any], message: str, outer: str
) -> None:
    signature = function(lambda x: {"y": wrapped(body, outer)(x)}, x=tf.string)
    with pytest.raises(CannotServe, match=message):
        load(save(tmp_path / "model", signature))

    def build() -> None:
        x = v1.placeholder(tf.string, [None], name="x")
        tf.identity(wrapped(body, outer)(x), name="y")

    with pytest.raises(CannotServe, match=message):
        serve(build, ["x"], ["y"])


def test_what_no_prediction_runs_must_not_use_files_either(tmp_path: Path, serve: Serve) -> None:
    signatures = {
        "serving_default": function(lambda x: {"y": x + "!"}, x=tf.string),
        "other": function(lambda x: {"y": read(x)}, x=tf.string),
    }
    with pytest.raises(CannotServe, match=r"of function '.*' uses 'ReadFile'"):
        load(save(tmp_path / "model", signatures))

    def build() -> None:
        x = v1.placeholder(tf.string, [None], name="x")
        tf.identity(read(x), name="other")
        tf.add(x, "!", name="y")

    with pytest.raises(CannotServe, match="node 'ReadFile' uses 'ReadFile'"):
        serve(build, ["x"], ["y"])


def test_printing_and_decoding_without_files_are_harmless(tmp_path: Path) -> None:
    def body(x: Any) -> Any:
        with tf.control_dependencies([tf.print("", output_stream=tf.compat.v1.logging.info)]):
            return {"y": tf.io.decode_proto(x, "tensorflow.NodeDef", ["op"], [tf.string])[0]}

    load(save(tmp_path / "model", function(body, x=tf.string)))


def test_a_model_without_a_saver_is_searched_as_a_whole(tmp_path: Path) -> None:
    module = tf.Module()
    # Only tf.saved_model.load fills a table that no saver restores.
    module.table = tf.lookup.experimental.MutableHashTable(tf.string, tf.int64, 0)
    module.other = function(lambda x: {"y": read(x)}, x=tf.string)
    module.other.get_concrete_function()
    signature = function(lambda x: {"y": module.table.lookup(x)}, x=tf.string)
    folder = save(tmp_path / "model", signature, module, experimental_skip_saver=True)
    with pytest.raises(CannotServe, match="'ReadFile', which reaches for files"):
        load(folder)
