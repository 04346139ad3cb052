"""Whole networks, as people save them, are proven."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tensorflow.python.framework.convert_to_constants import convert_variables_to_constants_v2
from tfaas_backends.demo import demo_models
from tfaas_backends.runtimes.independence.prover import Proof, Prover
from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime
from tfaas_backends.runtimes.tensorflow.graph_file import prepare, read_graph
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tests.data import MODELS as NETWORKS
from tfaas_core.models.params import Params
from tfaas_core.runtime import Independence, LoadOptions

REAL = sorted(NETWORKS.glob("*.pb"))
keras = tf.keras
layers = keras.layers
v1 = tf.compat.v1

Model = Callable[[], Any]


def dense() -> Any:
    normed = layers.BatchNormalization()
    return _sequence((8,), layers.Dense(4, "relu"), normed, layers.Dropout(0.5))


def steps() -> Any:
    return _sequence((None, 3), layers.Masking(), layers.LSTM(4, return_sequences=True),
                     layers.Bidirectional(layers.GRU(3)), layers.Dense(1))  # fmt: skip


def signal() -> Any:
    return _sequence((16, 3), layers.Conv1D(4, 3, dilation_rate=2, padding="causal"),
                     layers.LayerNormalization(), layers.MaxPool1D(), layers.Flatten())  # fmt: skip


def pictures() -> Any:
    return keras.applications.MobileNetV2((32, 32, 3), alpha=0.35, weights=None, classes=10)


def transformer() -> Any:
    tokens = keras.Input((None,), dtype="int32")
    hidden = layers.Embedding(50, 8, mask_zero=True)(tokens)
    seen = layers.MultiHeadAttention(2, 4)(hidden, hidden, use_causal_mask=True)
    hidden = layers.LayerNormalization()(seen + hidden)
    return keras.Model(tokens, layers.GlobalAveragePooling1D()(hidden))


def resized() -> Any:
    return _sequence((None, None, 3), layers.Rescaling(1 / 255), layers.Resizing(8, 8),
                     layers.CenterCrop(4, 4), layers.GroupNormalization(3))  # fmt: skip


def categories() -> Any:
    word, number = keras.Input((1,), dtype="string"), keras.Input((2,))
    found = layers.StringLookup(vocabulary=["a", "b"], output_mode="multi_hot")(word)
    hashed = layers.Hashing(5, output_mode="one_hot")(word)
    small = layers.Discretization([0.0, 1.0])(layers.Normalization(mean=1.0, variance=2.0)(number))
    return keras.Model([word, number], layers.Concatenate()([found, hashed, small]))


def texts() -> Any:
    vectors = layers.TextVectorization(vocabulary=["a", "b"], output_sequence_length=5)
    return keras.Sequential([keras.Input((1,), dtype="string"), vectors, layers.Embedding(4, 2)])


def _sequence(shape: Sequence[int | None], *parts: Any) -> Any:
    return keras.Sequential([keras.Input(shape), *parts])


def shapes_of(tensors: Sequence[Any]) -> list[Any]:
    return [(None, *tensor.shape.as_list()[1:]) for tensor in tensors]


def saved(model: Any, folder: Path) -> Independence:
    model.export(folder, verbose=False)
    servable = SavedModelRuntime().load(folder, Params(), LoadOptions(threads=1))
    try:
        return servable.independence()
    finally:
        servable.close()


def frozen(model: Any, lowered: bool) -> Proof:
    specs = [tf.TensorSpec([None, *i.shape[1:]], i.dtype) for i in model.inputs]
    function = tf.function(
        lambda *given: model(given[0] if len(given) == 1 else given), autograph=False
    )
    result = convert_variables_to_constants_v2(function.get_concrete_function(*specs), lowered)
    inputs = [t.name for t in result.inputs]
    prover = Prover(result.graph.as_graph_def(), inputs, [t.name for t in result.outputs])
    return prover.prove(shapes_of(specs))


@pytest.fixture(scope="session")
def model_of() -> Callable[[Model], Any]:
    """Each model is built once."""
    built: dict[Model, Any] = {}

    def model_of(build: Model) -> Any:
        if build not in built:
            built[build] = build()
        return built[build]

    return model_of


MODELS = [dense, steps, signal, transformer, resized, categories, texts]


@pytest.mark.parametrize("build", MODELS)
def test_a_keras_model_is_proven_as_it_is_saved(
    build: Model, model_of: Callable[[Model], Any], tmp_path: Path
) -> None:
    told = saved(model_of(build), tmp_path / "model")
    assert told.reason == ""
    assert told.proven


@pytest.mark.parametrize(
    ("build", "lowered"),
    [(dense, True), (steps, True), (steps, False), (signal, False), (pictures, False)],
)
def test_a_keras_model_is_proven_when_it_is_frozen(
    build: Model, lowered: bool, model_of: Callable[[Model], Any]
) -> None:
    assert frozen(model_of(build), lowered).why == ""


@pytest.mark.skipif(not REAL, reason="the real networks are not at hand")
@pytest.mark.parametrize("network", REAL, ids=lambda path: str(path.stem))
def test_a_real_network_is_proven(network: Path) -> None:
    graph_def = read_graph(network)
    prepare(graph_def, ())
    with np.load(network.with_suffix(".npz")) as arrays:
        shapes = {n[3:]: (None, *a.shape[1:]) for n, a in arrays.items() if n.startswith("in:")}
        outputs = [f"{name[4:]}:0" for name in arrays if name.startswith("out:")]
    told = Prover(graph_def, [f"{name}:0" for name in shapes], outputs).prove(list(shapes.values()))
    assert told.why == ""


def test_the_demo_model_of_particles_is_proven() -> None:
    (model,) = (m.model for m in demo_models() if m.model.suffix == ".pb")
    prover = Prover(read_graph(model), ["particles:0"], ["signal:0"])
    assert prover.prove([(None, 42)]).mergeable


def recurrent(x: Any) -> Any:
    """As TensorFlow 1 writes a recurrent layer: arrays, and a loop of switches and merges."""
    length, size = tf.shape(x)[1], tf.shape(x)[0]
    steps = tf.TensorArray(tf.float32, length).unstack(tf.transpose(x, [1, 0, 2]))
    weights = tf.constant(np.linspace(-1, 1, 20).reshape(5, 4), tf.float32)

    def turn(i: Any, state: Any, results: Any) -> Any:
        state = tf.tanh(tf.matmul(tf.concat([state, steps.read(i)], 1), weights))
        return i + 1, state, results.write(i, state)

    start = (0, tf.zeros(tf.stack([size, 4])), tf.TensorArray(tf.float32, length))
    last = tf.while_loop(lambda i, *_: i < length, turn, start)[2]
    return tf.transpose(last.stack(), [1, 0, 2])


def dropped(x: Any) -> Any:
    training = v1.placeholder_with_default(False, [])
    noise = v1.cond(training, lambda: x * v1.random_uniform(tf.shape(x)), lambda: tf.identity(x))
    return tf.nn.softmax(noise)


TENSORFLOW_1 = [(recurrent, (None, None, 1)), (recurrent, (None, 3, 1)), (dropped, (None, 4))]


@pytest.mark.parametrize(("build", "shape"), TENSORFLOW_1)
def test_a_network_of_tensorflow_1_is_proven(build: Any, shape: tuple[int | None, ...]) -> None:
    graph = tf.Graph()
    with graph.as_default():
        v1.disable_control_flow_v2()
        x = v1.placeholder(tf.float32, shape, name="x")
        tf.identity(build(x), name="y")
        v1.enable_control_flow_v2()
    assert Prover(graph.as_graph_def(), ["x:0"], ["y:0"]).prove([shape]).why == ""
