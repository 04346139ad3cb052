"""The ``saved_model`` runtime, from a folder to answers."""

from __future__ import annotations

import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.saved_model import tfaas_register_runtimes
from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.apart import run_python
from tests.backends.runtimes.saved_model.saved_models import (
    answers,
    edit,
    function,
    load,
    names,
    save,
    save_v1,
    v1,
)
from tests.backends.runtimes.saved_model.small_models import LARGE, random, weighted
from tfaas_core.engine.in_model_process.warming.warmup import warm
from tfaas_core.errors import (
    CannotServe,
    DoesNotFit,
)
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Verdict
from tfaas_core.tensors import BatchAxis


def double(folder: Path) -> Path:
    return save(folder, function(lambda x: {"y": 2 * x}, x=tf.float32))


# What it is.


def test_the_plugin_registers_the_runtime() -> None:
    assert isinstance(tfaas_register_runtimes()["saved_model"], SavedModelRuntime)


@pytest.mark.parametrize("name", ["saved_model.pb", "saved_model.pbtxt"])
def test_it_is_sure_of_a_saved_model_which_is_no_graph(tmp_path: Path, name: str) -> None:
    (tmp_path / name).touch()
    assert SavedModelRuntime().claim(tmp_path, "vk") is Verdict.SURE
    assert GraphRuntime().claim(tmp_path, "vk") is Verdict.NO


def test_files_and_other_folders_are_no_saved_models(tmp_path: Path) -> None:
    file = tmp_path / "saved_model.pb.txt"
    file.touch()
    for path in (tmp_path, file, tmp_path / "gone"):
        assert SavedModelRuntime().claim(path, "saved_model.pb") is Verdict.NO


def test_importing_the_runtime_imports_no_tensorflow() -> None:
    code = "import sys, tfaas_backends.runtimes.saved_model; print('tensorflow' in sys.modules)"
    assert run_python(code).stdout == "False\n"


def test_what_is_preloaded_is_silent_and_starts_no_thread() -> None:
    code = (
        "import os\n"
        "from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime\n"
        "from tfaas_core.engine.in_fork_server.preload import preload\n"
        "preload(SavedModelRuntime.preload, lambda module: None)\n"
        "print(len(os.listdir('/proc/self/task')))\n"
    )
    done = run_python(code)
    assert (done.stdout, done.stderr) == ("1\n", "")


# Where it comes from.


@pytest.fixture(scope="session")
def keras_models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Exported by Keras, each with some values and its own answers to them."""
    keras = tf.keras
    layers, root = keras.layers, tmp_path_factory.mktemp("keras")
    dense = [layers.Dense(n, "relu") for n in (128, 128, 128, 64, 64, 1)]
    convolution = [layers.Conv2D(4, 3), layers.BatchNormalization(), layers.Flatten()]
    words = [layers.Embedding(50, 4), layers.LSTM(5), layers.Dropout(0.5), layers.Dense(2)]
    for name, values, parts in (
        ("dense", random(2, 42), [*dense, layers.Dense(1, "sigmoid")]),
        ("convolution", random(2, 8, 8, 3), [*convolution, layers.Dense(3, "softmax")]),
        ("words", np.arange(14, dtype=np.float32).reshape(2, 7), words),
    ):
        model = keras.Sequential([keras.Input(values.shape[1:]), *parts])
        model.export(root / name, verbose=False)
        np.savez(root / f"{name}.npz", values=values, answers=model(values))
    return root


@pytest.mark.parametrize("name", ["dense", "convolution", "words"])
def test_what_keras_exports_answers_as_the_network_does(keras_models: Path, name: str) -> None:
    servable = load(keras_models / name)
    known = np.load(keras_models / f"{name}.npz")
    (output,) = servable.run([known["values"]])
    np.testing.assert_allclose(output, known["answers"], rtol=1e-5, atol=1e-6)
    assert names(servable.signature.outputs) == ["output_0"]
    assert servable.signature.batch is BatchAxis.FREE
    assert not servable.stateful
    assert warm(servable).mergeable


@pytest.mark.parametrize("size", [3, LARGE])
@pytest.mark.parametrize("resources", [True, False])
def test_a_model_of_tensorflow_1_loads(tmp_path: Path, size: int, resources: bool) -> None:
    weights = random(size, 2 if size == 3 else size)

    def build() -> Any:
        x = v1.placeholder(tf.float32, [None, size], name="x")
        matrix = v1.get_variable("w", initializer=weights)
        bias = v1.get_variable("b", [weights.shape[1]], initializer=v1.ones_initializer())
        return {"x": x}, {"y": x @ matrix + bias}

    servable = load(save_v1(tmp_path / "model", build, resources=resources))
    x = random(2, size)
    np.testing.assert_allclose(answers(servable, x)["y"], x @ weights + 1, rtol=1e-4, atol=1e-4)
    assert not servable.stateful


@pytest.mark.parametrize("size", [3, LARGE])
def test_a_session_answers_as_the_signature_function_does(tmp_path: Path, size: int) -> None:
    folder = weighted(tmp_path / "model", size)
    x = random(5, size)
    expected = tf.saved_model.load(str(folder)).signatures["serving_default"](x=tf.constant(x))
    np.testing.assert_allclose(answers(load(folder), x)["y"], expected["y"], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize("size", [3, LARGE])
def test_what_only_training_used_is_not_even_read(tmp_path: Path, size: int) -> None:
    folder = weighted(tmp_path / "model", size)
    (data,) = folder.glob("variables/variables.data-*")
    moments = np.full(size, 7, np.float32).tobytes()
    content = data.read_bytes()
    assert moments in content
    data.write_bytes(content.replace(moments, bytes(len(moments))))
    assert answers(load(folder), np.ones((1, size), np.float32))["y"].shape == (1, size)


def test_a_model_without_variables_needs_no_file_of_them(tmp_path: Path) -> None:
    folder = double(tmp_path / "model")
    shutil.rmtree(folder / "variables")
    assert answers(load(folder), np.ones(2, np.float32))["y"].tolist() == [2, 2]


def without_a_saver(folder: Path) -> Path:
    """A model with a table, whose values only tf.saved_model.load finds."""
    module = tf.Module()
    module.table = tf.lookup.experimental.MutableHashTable(tf.int32, tf.float32, 0.0)
    module.table.insert(tf.constant([0, 1]), [3.0, 5.0])
    module.row = tf.Variable([0, 1])

    def body(i: Any) -> Any:
        found = module.table.lookup(tf.gather(module.row, i))
        return {"y": tf.cast(found, tf.bfloat16), "i": i}

    signature = function(body, i=tf.int32)
    return save(folder, signature, module, experimental_skip_saver=True)


def test_a_model_saved_without_a_saver_loads(tmp_path: Path) -> None:
    folder = without_a_saver(tmp_path / "model")
    servable = load(folder, outputNode=["y", "i"])
    assert answers(servable, np.array([1], np.int32)) == {"y": [5.0], "i": [1]}
    assert [spec.dtype for spec in servable.signature.outputs] == ["float32", "int32"]
    with pytest.raises(CannotServe, match=r"does not tell how .*: params can name only keys"):
        load(folder, outputNode=["y", "Variable/Read/ReadVariableOp:0"])
    servable.close()


def test_values_that_do_not_run_are_the_request_s_fault_without_a_saver_too(tmp_path: Path) -> None:
    module = tf.Module()
    module.row = tf.Variable([1.0, 2.0])
    signature = function(lambda i: {"y": tf.gather(module.row, i)}, i=tf.int32)
    for folder in (
        save(tmp_path / "plain", signature, module),
        without_a_saver(tmp_path / "without"),
    ):
        with pytest.raises(DoesNotFit, match=r"cannot run on these values: .*7 is not in \[0, 2\)"):
            load(folder).run([np.array([7], np.int32)])


def test_a_model_made_for_another_device_and_for_training_runs_here(tmp_path: Path) -> None:
    def build() -> Any:
        x = v1.placeholder(tf.float32, [None])
        phase = v1.placeholder(tf.bool, [], name="keras_learning_phase")
        weight = v1.get_variable("w", initializer=2.0)
        return {"x": x}, {"y": tf.where(phase, -x, x * weight)}

    def elsewhere(meta_graph: Any) -> None:
        for node in meta_graph.graph_def.node:
            node.device = "/job:worker/task:3/device:GPU:1"

    servable = load(edit(save_v1(tmp_path / "model", build), elsewhere))
    assert answers(servable, np.ones(2, np.float32))["y"].tolist() == [2, 2]


def test_sessions_share_no_variables(tmp_path: Path) -> None:
    module = tf.Module()
    module.count = tf.Variable(0.0)
    folder = save(
        tmp_path / "model", function(lambda x: x + module.count.assign_add(1), x=tf.float32), module
    )
    one, other = load(folder), load(folder)
    zero = np.zeros(1, np.float32)
    assert [float(s.run([zero])[0][0]) for s in (one, one, other)] == [1, 2, 1]
    one.close()
    assert other.run([zero])[0] == [2]


def test_tuning_keeps_the_answers(tmp_path: Path) -> None:
    folder = weighted(tmp_path / "model", LARGE)
    servable = SavedModelRuntime().load(folder, Params(), LoadOptions())
    x = random(200, LARGE)
    (before,) = servable.run([x])
    servable.tune([x])
    np.testing.assert_allclose(servable.run([x])[0], before, rtol=1e-4, atol=1e-4)
    servable.close()


def test_ops_are_counted_whether_or_not_the_model_can_be_served(tmp_path: Path) -> None:
    functions = {
        "one": function(lambda x: {"y": tf.tanh(tf.tanh(x))}, x=tf.float32),
        "other": function(lambda x: {"y": tf.sin(x)}, x=tf.float32),
    }
    found = SavedModelRuntime().count_ops(save(tmp_path / "model", functions), Params())
    assert (found["Tanh"], found["Sin"]) == (2, 1)
