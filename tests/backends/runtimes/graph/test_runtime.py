"""The ``graph`` runtime, from a file to answers."""

from __future__ import annotations

import gzip
import tarfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.graph import tfaas_register_runtimes
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.tensorflow.graph_file import read_graph
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.apart import check_loading, run_python
from tests.backends.runtimes.vetting.graphs import harmless
from tests.data import MODELS as REAL
from tfaas_core.errors import BadBody, CannotServe, StorageUnavailable, TfaasError
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Verdict
from tfaas_core.tensors import BatchAxis

MODELS = sorted(REAL.glob("*.pb"))
ON_EVERY_MODEL = pytest.mark.parametrize("model", MODELS, ids=lambda model: model.stem)
FUZZED = "track_classifier.pb", "DDB.pb", "jet_id.pb"


def load(file: Path, params: Params | None = None) -> Any:
    return GraphRuntime().load(file, params or Params(), LoadOptions(threads=1))


def small_graph() -> bytes:
    graph = tf.Graph()
    with graph.as_default():
        tf.negative(tf.compat.v1.placeholder(tf.float32, [None, 2], name="x"), name="y")
    return bytes(graph.as_graph_def().SerializeToString())


@ON_EVERY_MODEL
@pytest.mark.parametrize("named", [False, True])
def test_real_models_answer_as_tensorflow_does(model: Path, named: bool) -> None:
    arrays = np.load(model.with_suffix(".npz"))
    inputs = {name[3:]: arrays[name] for name in arrays if name.startswith("in:")}
    outputs = {name[4:]: arrays[name] for name in arrays if name.startswith("out:")}
    params = Params(input_nodes=tuple(inputs), output_nodes=tuple(f"{name}:0" for name in outputs))
    servable = load(model, params if named else None)
    signature = servable.signature
    assert [spec.name for spec in signature.inputs] == list(inputs)
    assert [spec.name for spec in signature.outputs] == list(outputs)
    assert signature.batch is (BatchAxis.NONE if model.stem == "DDB" else BatchAxis.FREE)
    assert not servable.stateful
    answers = servable.run([inputs[spec.name] for spec in signature.inputs])
    for spec, answer in zip(signature.outputs, answers, strict=True):
        np.testing.assert_allclose(answer, outputs[spec.name], rtol=1e-6, atol=1e-6)
    servable.close()


def test_the_plugin_registers_the_runtime() -> None:
    assert isinstance(tfaas_register_runtimes()["graph"], GraphRuntime)


def claim(file: Path, content: bytes) -> Verdict:
    file.write_bytes(content)
    return GraphRuntime().claim(file, "model.pb")


def one_node(name: str, op: str) -> bytes:
    graph_def = tf.compat.v1.GraphDef()
    graph_def.node.add(name=name, op=op)
    return bytes(graph_def.SerializeToString())


@ON_EVERY_MODEL
def test_it_is_sure_of_real_graphs(model: Path) -> None:
    assert GraphRuntime().claim(model, "") is Verdict.SURE


@pytest.mark.parametrize(
    ("name", "op"), [("x", "Const"), ("a/" * 90 + "b", "Const"), (".x-1", "My>Op"), ("f", "__f_1")]
)
def test_it_is_sure_of_a_graph_whatever_its_first_node(tmp_path: Path, name: str, op: str) -> None:
    assert claim(tmp_path / "g", one_node(name, op)) is Verdict.SURE


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"not a graph, but no archive either",
        b'{"scale": 2}',
        b"\n\x0a\n\x01x\x12\x05Co",
        b"\n\x0a\n\x02x\x12\x05Const",
        b"\x18\0\0\0TFL3" + bytes(100),
        b"\x08\x07\x12\x07pytorch:\x04" + bytes(100),
    ],
)
def test_any_other_file_may_be_a_graph(tmp_path: Path, content: bytes) -> None:
    assert claim(tmp_path / "g", content) is Verdict.MAYBE


def test_a_saved_models_file_is_no_graph_to_be_sure_of(tmp_path: Path) -> None:
    for content in (saved_model(), meta_graph()):
        assert claim(tmp_path / "g", content) is Verdict.MAYBE


def test_folders_and_archives_are_no_graphs(tmp_path: Path) -> None:
    graph = tmp_path / "graph.pb"
    graph.write_bytes(small_graph())
    tar, packed = tmp_path / "model.tar", tmp_path / "model.tar.gz"
    with tarfile.open(tar, "w") as plain, tarfile.open(packed, "w:gz") as compressed:
        for archive in (plain, compressed):
            archive.add(graph, "model/graph.pb")
    zipped = tmp_path / "model.zip"
    zipped.write_bytes(b"PK\x03\x04" + bytes(100))
    for path in (tmp_path, tmp_path / "gone", tar, packed, zipped):
        assert GraphRuntime().claim(path, "model.pb") is Verdict.NO, path


def saved_model() -> bytes:
    from tensorflow.core.protobuf import saved_model_pb2

    content = saved_model_pb2.SavedModel(saved_model_schema_version=1)
    content.meta_graphs.add().graph_def.ParseFromString(small_graph())
    return bytes(content.SerializeToString())


def meta_graph() -> bytes:
    from tensorflow.core.protobuf import meta_graph_pb2

    content = meta_graph_pb2.MetaGraphDef()
    content.meta_info_def.tensorflow_version = "2.21"
    content.graph_def.ParseFromString(small_graph())
    return bytes(content.SerializeToString())


def nested_graph() -> bytes:
    """With a function, and an attribute that is nested deeper than TensorFlow reads."""
    graph_def = harmless()
    named = graph_def.node.add(name="bad", op="NoOp").attr["f"].func
    for _ in range(60):
        named = named.attr["g"].func
        named.name = "negate"
    return bytes(graph_def.SerializeToString())


@pytest.mark.parametrize(
    ("content", "error", "message"),
    [
        (b"", BadBody, "the model file is empty"),
        (b"\x00\x01garbage", BadBody, "not a frozen TensorFlow graph"),
        (b"\x22\x00", BadBody, "not a frozen TensorFlow graph"),
        (nested_graph, BadBody, "not a frozen TensorFlow graph"),
        (b"node {\n  name: 'x'\n}\n", BadBody, r"a graph in text format \(\.pbtxt\)"),
        (b"\x89HDF\r\n\x1a\n" + bytes(9), BadBody, "a Keras model in HDF5 format"),
        (b"\x1c\x00\x00\x00TFL3" + bytes(9), BadBody, "a TensorFlow Lite model"),
        (gzip.compress(b"graph", mtime=0), BadBody, "compressed with gzip"),
        (saved_model, CannotServe, "saved_model.pb of a SavedModel, .* upload the whole folder"),
        (meta_graph, CannotServe, "the .meta file of a checkpoint, .* freeze"),
    ],
)
def test_a_file_that_is_no_graph_is_refused_for_what_it_is(
    tmp_path: Path, content: bytes | Callable[[], bytes], error: type[TfaasError], message: str
) -> None:
    file = tmp_path / "model.pb"
    file.write_bytes(content if isinstance(content, bytes) else content())
    with pytest.raises(TfaasError, match=message) as caught:
        load(file)
    assert type(caught.value) is error


def test_a_file_that_cannot_be_read_is_the_storage_s_fault(tmp_path: Path) -> None:
    with pytest.raises(StorageUnavailable, match="cannot be read: No such file"):
        read_graph(tmp_path / "gone.pb")


def test_importing_the_runtime_imports_no_tensorflow() -> None:
    code = "import sys, tfaas_backends.runtimes.graph.runtime; print('tensorflow' in sys.modules)"
    assert run_python(code).stdout == "False\n"


def test_the_lists_of_ops_are_read_only_where_an_operator_allows_more() -> None:
    code = (
        "import sys\n"
        "from tfaas_backends.runtimes.graph.runtime import GraphRuntime\n"
        "from tfaas_core.runtime import LoadOptions\n"
        "for ops in ((), ('MadeUp',)):\n"
        "    told = GraphRuntime().examine(LoadOptions(allow_ops=ops))\n"
        "    print(len(told), 'tfaas_backends.runtimes.vetting.op_lists' in sys.modules)\n"
    )
    assert run_python(code).stdout == "0 False\n1 True\n"


def test_what_is_preloaded_is_silent_and_starts_no_thread(tmp_path: Path) -> None:
    # pandas brings pyarrow, which starts one, and TensorFlow imports it if it is installed.
    (tmp_path / "pandas.py").write_text(
        "import threading\nthreading.Thread(target=threading.Event().wait, daemon=True).start()\n"
    )
    code = (
        "import os, sys\n"
        f"sys.path.insert(0, {str(tmp_path)!r})\n"
        "from tfaas_backends.runtimes.graph.runtime import GraphRuntime\n"
        "from tfaas_core.engine.in_fork_server.preload import preload\n"
        "preload(GraphRuntime.preload, lambda module: None)\n"
        "print(len(os.listdir('/proc/self/task')), {'pandas', 'keras'} & {*sys.modules})\n"
    )
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("1 set()\n", "")


def damaged(content: bytes, random: np.random.Generator) -> list[bytes]:
    """A truncated copy, and some with flipped bits."""
    copies = [content[: random.integers(len(content))]]
    for flips in (1, 4, 16):
        # Names, ops and attributes are what is worth breaking; most bytes are weights.
        where = random.choice(np.flatnonzero(_is_text(content)), flips)
        copy = np.frombuffer(content, np.uint8).copy()
        copy[where] ^= 1 << random.integers(8, size=flips, dtype=np.uint8)
        copies.append(copy.tobytes())
    return copies


def _is_text(content: bytes) -> np.ndarray[Any, Any]:
    codes = np.frombuffer(content, np.uint8)
    text = (codes >= 32) & (codes < 127)
    return np.logical_and(text, np.roll(text, 1))


def test_whatever_a_file_holds_nothing_but_a_tfaas_error_comes_of_it(tmp_path: Path) -> None:
    random = np.random.default_rng(5)
    contents = [random.bytes(size) for size in (1, 10, 1000)]
    sources = [model.read_bytes() for model in MODELS if model.name in FUZZED]
    for source in (*sources, small_graph(), small_graph()):
        contents += damaged(source, random)
    for number, content in enumerate(contents):
        (tmp_path / f"{number:03}.pb").write_bytes(content)
    check_loading(GraphRuntime, tmp_path)


def test_ops_are_counted_in_the_graph_and_its_functions(tmp_path: Path) -> None:
    graph = tf.Graph()
    with graph.as_default():
        x = tf.compat.v1.placeholder(tf.float32, [None, 2], name="x")
        tf.identity(tf.function(lambda row: tf.tanh(tf.tanh(row)), autograph=False)(x), "y")
    graph_def = graph.as_graph_def()
    counted = {"Placeholder": 1, "Tanh": 2}
    for called_by_name in (False, True):  # as TensorFlow 1 calls functions
        call = next(node for node in graph_def.node if "Call" in node.op)
        if called_by_name:
            call.op = call.attr["f"].func.name
        (tmp_path / "x.pb").write_bytes(graph_def.SerializeToString())
        found = GraphRuntime().count_ops(tmp_path / "x.pb", Params())
        assert {op: found[op] for op in counted} == counted
        assert sum("Call" in op for op in found) == (0 if called_by_name else 1)
        assert not any("lambda" in op for op in found)


def test_ops_of_what_is_no_graph_are_not_counted(tmp_path: Path) -> None:
    (tmp_path / "x.pb").write_bytes(b"rubbish")
    with pytest.raises(BadBody):
        GraphRuntime().count_ops(tmp_path / "x.pb", Params())
