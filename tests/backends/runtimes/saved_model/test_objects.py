"""SavedModels whose variables the graph's saver does not restore: those of Keras 3, for one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.backends.runtimes.saved_model.saved_models import answers, edit, function, load, save
from tfaas_core.errors import BadBody, CannotServe

keras = tf.keras
layers = keras.layers

ROWS = np.random.default_rng(7).standard_normal((3, 4), np.float32)


def sequential() -> Any:
    parts = [layers.Dense(3, "relu"), layers.BatchNormalization(), layers.Dense(2)]
    return keras.Sequential([keras.Input((4,)), *parts])


def functional() -> Any:
    row = keras.Input((4,))
    both = layers.Concatenate()([layers.Dense(3)(row), layers.Dense(3)(row)])
    return keras.Model(row, layers.Dense(2)(both))


def recurrent() -> Any:
    steps = layers.Reshape((2, 2))
    return keras.Sequential([keras.Input((4,)), steps, layers.LSTM(3), layers.Dense(2)])


def embedding() -> Any:
    parts = [layers.Embedding(9, 3), layers.Flatten(), layers.Dropout(0.5), layers.Dense(2)]
    return keras.Sequential([keras.Input((4,)), *parts])


def large() -> Any:
    return keras.Sequential([keras.Input((4,)), layers.Dense(70_000), layers.Dense(4)])


def nested() -> Any:
    return keras.Sequential([keras.Input((4,)), sequential(), layers.Dense(2)])


def randomised(model: Any) -> Any:
    """All weights are drawn anew: their first values would hide that some are mixed up."""
    random = np.random.default_rng(5)
    model.set_weights([random.uniform(0.5, 1.5, w.shape) for w in model.get_weights()])
    return model


def wrapped(folder: Path, model: Any, hold: Callable[[Any], Any] = lambda m: m, **o: Any) -> Path:
    """Saved by TensorFlow, as a part of a module; ``hold`` makes what the module holds."""
    module = tf.Module()
    module.held = hold(model)
    spec = tf.TensorSpec([None, 4], tf.float32)
    return save(folder, function(lambda x: {"y": model(x)}, x=spec), module, **o)


def values(model: Any) -> np.ndarray[Any, Any]:
    return ROWS if model.layers[0].name[:9] != "embedding" else abs(ROWS)


MODELS = [sequential, functional, recurrent, embedding, large, nested]


@pytest.mark.parametrize("make", MODELS)
def test_a_keras_model_within_a_module_answers_as_itself(
    tmp_path: Path, make: Callable[[], Any]
) -> None:
    model = randomised(make())
    servable = load(wrapped(tmp_path / "model", model))
    output = answers(servable, values(model))["y"]
    np.testing.assert_allclose(output, model(values(model)), rtol=1e-4, atol=1e-4)
    assert not servable.stateful


@pytest.mark.parametrize("make", [sequential, functional])
def test_a_keras_model_saved_by_tensorflow_answers_as_itself(
    tmp_path: Path, make: Callable[[], Any]
) -> None:
    model = randomised(make())
    model.compile("adam", "mse")
    model.fit(ROWS, ROWS[:, :2], verbose=0)
    tf.saved_model.save(model, str(tmp_path / "model"))
    (output,) = load(tmp_path / "model").run([ROWS])
    np.testing.assert_allclose(output, model(ROWS), rtol=1e-4, atol=1e-5)


@pytest.mark.parametrize(
    "hold", [lambda m: [m], lambda m: {"a": {"b": m}}, lambda m: (m, m.layers), lambda m: m.layers]
)
def test_wherever_the_module_holds_it(tmp_path: Path, hold: Callable[[Any], Any]) -> None:
    model = randomised(sequential())
    output = answers(load(wrapped(tmp_path / "model", model, hold)), ROWS)["y"]
    np.testing.assert_allclose(output, model(ROWS), rtol=1e-5, atol=1e-5)


def test_each_signature_has_its_own_variables(tmp_path: Path) -> None:
    module = tf.Module()
    module.models = [randomised(sequential()), keras.Sequential([layers.Dense(2)])]
    module.models[1](ROWS)
    spec = tf.TensorSpec([None, 4], tf.float32)
    one, other = module.models
    signatures = {
        "one": function(lambda x: {"y": one(x)}, x=spec),
        "both": function(lambda x: {"y": other(x), "z": one(x) + other(x)}, x=spec),
    }
    folder = save(tmp_path / "model", signatures, module)
    expected = {"y": other(ROWS), "z": one(ROWS) + other(ROWS)}
    np.testing.assert_allclose(load(folder, signature="one").run([ROWS])[0], one(ROWS), rtol=1e-4)
    for name, output in answers(load(folder, signature="both"), ROWS).items():
        np.testing.assert_allclose(output, expected[name], rtol=1e-4, atol=1e-4)


def test_a_variable_that_a_run_changes_starts_as_it_was_saved(tmp_path: Path) -> None:
    module = tf.Module()
    module.sum = keras.Variable(np.full(2, 5.0, np.float32))

    def add(x: Any) -> Any:
        module.sum.assign(module.sum.value + x)
        return {"sum": tf.identity(module.sum.value)}

    spec = tf.TensorSpec([2], tf.float32)
    servable = load(save(tmp_path / "model", function(add, x=spec), module))
    assert servable.stateful
    one = np.ones(2, np.float32)
    assert [answers(servable, one)["sum"].tolist() for _ in range(2)] == [[6, 6], [7, 7]]


def test_a_table_beside_them_is_filled(tmp_path: Path) -> None:
    module = tf.Module()
    module.table = tf.lookup.experimental.MutableHashTable(tf.int64, tf.float32, 0.0)
    module.table.insert(tf.constant([1, 2], tf.int64), [10.0, 20.0])
    module.factor = keras.Variable(3.0)
    body = function(lambda x: {"y": module.table.lookup(x) * module.factor}, x=tf.int64)
    servable = load(save(tmp_path / "model", body, module))
    assert answers(servable, np.array([2, 1, 0]))["y"].tolist() == [60, 30, 0]


def test_a_vocabulary_of_keras_is_found(tmp_path: Path) -> None:
    model = keras.Sequential(
        [keras.Input((2,), dtype="string"), layers.StringLookup(vocabulary=["a", "b"])]
    )
    module = tf.Module()
    module.model = model
    spec = tf.TensorSpec([None, 2], tf.string)
    folder = save(tmp_path / "model", function(lambda x: {"y": model(x)}, x=spec), module)
    output = answers(load(folder), np.array([[b"b", b"a"], [b"?", b"b"]], object))["y"]
    assert output.tolist() == [[2, 1], [0, 2]]


@pytest.mark.parametrize("skip", [False, True])
def test_they_run_in_a_session_with_a_saver_or_without(tmp_path: Path, skip: bool) -> None:
    model = randomised(sequential())
    folder = wrapped(tmp_path / "model", model, experimental_skip_saver=skip)
    # No signature has this name; only a session can fetch what is in none.
    servable = load(folder, outputNode="StatefulPartitionedCall:0", inputNode="serving_default_x:0")
    np.testing.assert_allclose(servable.run([ROWS])[0], model(ROWS), rtol=1e-5, atol=1e-5)


def hide(meta_graph: Any) -> None:
    """Calls the signature by another name, so that nothing tells which variables it captures."""
    library = meta_graph.graph_def.library.function
    call = next(
        node for node in meta_graph.graph_def.node if "signature" in node.attr["f"].func.name
    )
    copy = next(f for f in library if f.signature.name == call.attr["f"].func.name)
    library.add().CopyFrom(copy)
    library[-1].signature.name = call.attr["f"].func.name = "hidden"


def test_a_variable_that_nothing_gives_a_value_is_named(tmp_path: Path) -> None:
    folder = edit(wrapped(tmp_path / "model", sequential()), hide)
    with pytest.raises(CannotServe, match=r"value of its variable '.*dense.*': .*model\.export"):
        load(folder)


def test_damaged_variables_are_told(tmp_path: Path) -> None:
    folder = wrapped(tmp_path / "model", sequential())
    (index,) = folder.glob("variables/*.index")
    index.write_bytes(index.read_bytes()[:20])
    with pytest.raises(BadBody, match=r"variables are damaged: "):
        load(folder)
