"""Nothing that TensorFlow's and Keras' ordinary exports hold is refused."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.saved_model.vetted import read_vetted
from tfaas_backends.runtimes.tensorflow.graph_file import read_graph
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.graph_vetting import vet_graph
from tfaas_backends.runtimes.vetting.op_lists import ALLOWED_OPS

from tests.backends.runtimes.saved_model.saved_models import load, v1
from tests.data import MODELS
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions

PROTOCOLS = MODELS.parents[1] / "protocols" / "data"

ARCHITECTURES = """
    AddV2 AvgPool BiasAdd Cast ConcatV2 Const Conv2D DepthwiseConv2dNative Erfc GatherV2 Identity
    IdentityN MatMul MaxPool Maximum Mean Mul Neg NoOp Pack Pad Placeholder Prod ReadVariableOp
    RealDiv Relu Relu6 Reshape Rsqrt Shape Sigmoid Softmax Sqrt SquaredDifference Squeeze
    StatefulPartitionedCall StopGradient StridedSlice Sub Transpose
"""
"""What Keras' ConvNeXt, DenseNet, EfficientNet, Inception, MobileNet, NASNet, ResNet, VGG and
Xception, and their variants, are made of."""


def vet(body: Callable[..., Any], *specs: Any) -> set[str]:
    """Vets what a function becomes; gives its ops."""
    graph = tf.function(body, autograph=False).get_concrete_function(*specs).graph
    graph_def = graph.as_graph_def()
    vet_graph(graph_def, (), 0).check_none()
    functions = graph_def.library.function
    return {node.op for body in (graph_def, *functions) for node in _nodes(body)}


def _nodes(body: Any) -> Any:
    return body.node if hasattr(body, "node") else body.node_def


def numbers(*shape: int | None) -> Any:
    return tf.TensorSpec(shape, tf.float32)


def test_the_architectures_of_keras_are_made_of_allowed_ops() -> None:
    assert set(ARCHITECTURES.split()) <= ALLOWED_OPS


@pytest.mark.parametrize("name", ["MobileNetV2", "MobileNetV3Small"])
def test_an_architecture_of_keras_is_let_through(name: str) -> None:
    architecture = getattr(tf.keras.applications, name)
    network = architecture(weights=None, input_shape=(32, 32, 3), classes=2)
    assert vet(network, numbers(None, 32, 32, 3)) <= set(ARCHITECTURES.split())


def test_keras_preprocessing_is_served_with_its_vocabularies(tmp_path: Path) -> None:
    keras, layers = tf.keras, tf.keras.layers
    (tmp_path / "words.txt").write_text("a\nb\n")
    (tmp_path / "numbers.txt").write_text("7\n8\n")
    words = keras.Input((1,), dtype="string", name="words")
    wholes = keras.Input((1,), dtype="int64", name="wholes")
    reals = keras.Input((1,), dtype="float32", name="reals")
    text = layers.TextVectorization(output_sequence_length=4, vocabulary=["a", "b"])(words)
    each = [
        layers.StringLookup(vocabulary=str(tmp_path / "words.txt"), output_mode="one_hot")(words),
        layers.IntegerLookup(vocabulary=str(tmp_path / "numbers.txt"), output_mode="one_hot")(
            wholes
        ),
        layers.CategoryEncoding(num_tokens=3)(layers.Hashing(3)(words)),
        layers.Normalization(mean=1.0, variance=2.0)(reals),
        layers.CategoryEncoding(num_tokens=3)(layers.Discretization([0.0, 1.0])(reals)),
        layers.Flatten()(layers.Embedding(4, 2)(text)),
    ]
    model = keras.Model([words, wholes, reals], layers.Dense(2)(layers.Concatenate()(each)))
    model.export(str(tmp_path / "model"), verbose=False)
    servable = load(tmp_path / "model")
    given = {
        "words": np.array([["a"]], object),
        "wholes": np.ones((1, 1), np.int64),
        "reals": np.ones((1, 1), np.float32),
    }
    inputs = [given[spec.name] for spec in servable.signature.inputs]
    assert servable.run(inputs)[0].shape == (1, 2)


def test_recurrent_layers_attention_and_pictures_of_keras_are_let_through() -> None:
    layers = tf.keras.layers
    series = tf.keras.Input((5, 3))
    inner = layers.Bidirectional(layers.LSTM(4, return_sequences=True))(series)
    inner = layers.MultiHeadAttention(2, 4)(inner, inner)
    inner = layers.GRU(4)(layers.LayerNormalization()(inner))
    vet(tf.keras.Model(series, layers.Dense(1, "gelu")(inner)), numbers(None, 5, 3))
    pictures = tf.keras.Input((8, 8, 3))
    augmented: Any = pictures
    for layer in (
        layers.RandomFlip(),
        layers.RandomRotation(0.1),
        layers.RandomZoom(0.1),
        layers.RandomTranslation(0.1, 0.1),
        layers.RandomContrast(0.1),
        layers.RandomCrop(4, 4),
        layers.CenterCrop(4, 4),
        layers.Resizing(6, 6),
        layers.Rescaling(1 / 255),
    ):
        augmented = layer(augmented)
    model = tf.keras.Model(pictures, augmented)
    for training in (False, True):
        vet(lambda x: model(x, training=training), numbers(None, 8, 8, 3))  # noqa: B023


def examples(texts: Any) -> Any:
    features = {
        "x": tf.io.FixedLenFeature([2], tf.float32, [0.0, 0.0]),
        "s": tf.io.VarLenFeature(tf.string),
        "r": tf.io.RaggedFeature(tf.int64),
    }
    return list(tf.io.parse_example(texts, features).values())


def pictures(texts: Any) -> Any:
    decoders = [tf.io.decode_jpeg, tf.io.decode_png, tf.io.decode_bmp, tf.io.decode_gif]
    decoded = [tf.cast(decode(texts[0]), tf.float32) for decode in decoders[:3]]
    resized = [
        tf.image.resize(picture[None], [4, 4], method)
        for picture, method in zip(decoded, ("bilinear", "bicubic", "area"), strict=True)
    ]
    encoded = tf.io.encode_jpeg(tf.cast(decoded[0], tf.uint8))
    raw = tf.io.decode_raw(texts, tf.float32), decoders[3](texts[0]), encoded
    return resized, raw, tf.audio.decode_wav(texts[0]), tf.io.decode_base64(texts)


def strings(texts: Any) -> Any:
    words = tf.strings.split(texts)
    hashed = (
        tf.strings.to_hash_bucket_fast(texts, 7),
        tf.strings.to_hash_bucket_strong(texts, 7, [1, 2]),
    )
    numbers = tf.strings.to_number(texts), tf.strings.as_string(tf.strings.length(texts))
    cleaned = (
        tf.strings.regex_replace(tf.strings.lower(texts), "[a-z]", ""),
        tf.strings.join([texts, texts]),
    )
    grams = tf.strings.ngrams(words, 2), tf.strings.unicode_decode(texts, "UTF-8")
    table = tf.lookup.StaticHashTable(
        tf.lookup.KeyValueTensorInitializer(["a"], [1]), default_value=0
    )
    return words, hashed, numbers, cleaned, grams, table.lookup(texts), texts == "a"


def ragged_and_sparse(x: Any) -> Any:
    ragged = tf.RaggedTensor.from_row_lengths(tf.reshape(x, [-1]), [tf.size(x)])
    sparse = tf.sparse.from_dense(x)
    products = tf.sparse.sparse_dense_matmul(sparse, x, adjoint_a=True), tf.sparse.reorder(sparse)
    segments = tf.math.segment_sum(x, tf.range(tf.shape(x)[0])), tf.unique(tf.reshape(x, [-1]))
    embedded = tf.nn.embedding_lookup(x, [0]), tf.boolean_mask(x, x > 0), tf.where(x > 0)
    return ragged.to_tensor(), tf.reduce_sum(ragged, 1), products, segments, embedded


def algebra(x: Any) -> Any:
    square = tf.matmul(x, x, transpose_a=True)
    parts = (
        tf.linalg.svd(square),
        tf.linalg.qr(square),
        tf.linalg.eigh(square),
        tf.linalg.lu(square),
    )
    solved = tf.linalg.solve(square, square), tf.linalg.cholesky(square), tf.linalg.det(square)
    signal = tf.signal.rfft(x), tf.signal.stft(x, 4, 2), tf.signal.dct(x)
    special = tf.math.lgamma(x), tf.math.bessel_i0(x), tf.math.top_k(x), tf.sort(x), tf.math.erf(x)
    return parts, solved, signal, special, tf.einsum("ij,ik->jk", x, x), tf.cumsum(x)


def draws(x: Any) -> Any:
    old = tf.random.uniform([2]), tf.random.normal([2]), tf.random.shuffle(x)
    stateless = tf.random.stateless_uniform([2], [1, 2]), tf.random.stateless_normal([2], [1, 2])
    others = tf.random.gamma([2], 1.0), tf.random.poisson([2], 1.0), tf.random.categorical(x, 1)
    return old, stateless, others, tf.nn.dropout(x, 0.5)


def flow(x: Any) -> Any:
    looped = tf.while_loop(lambda i, y: i < 3, lambda i, y: (i + 1, y * 2), (0, x))
    branched = tf.cond(tf.size(x) > 0, lambda: x, lambda: -x)
    switched = tf.switch_case(tf.size(x) % 2, [lambda: x, lambda: -x])
    mapped = tf.map_fn(lambda row: row + 1, x), tf.vectorized_map(lambda row: row + 1, x)
    array = tf.TensorArray(tf.float32, 2).write(0, x).write(1, x).stack()
    data = tf.data.Dataset.from_tensor_slices(x).map(lambda row: row + 1).batch(2).prefetch(1)
    summed = data.reduce(0.0, lambda total, rows: total + tf.reduce_sum(rows))
    with tf.control_dependencies([tf.debugging.assert_greater(x, -9.0), tf.print(x)]):
        checked = tf.identity(x)
    return looped, branched, switched, mapped, array, summed, checked, tf.gradients(x**2, x)


def quantised(x: Any) -> Any:
    fake = (
        tf.quantization.fake_quant_with_min_max_args(x),
        tf.quantization.quantize(x, 0.0, 1.0, tf.quint8),
    )
    return fake, tf.quantization.quantize_and_dequantize_v2(x, 0.0, 1.0)


def detection(x: Any) -> Any:
    boxes, scores = x[:, :4], x[:, 0]
    kept = tf.image.non_max_suppression(boxes, scores, 3)
    pooled = tf.nn.max_pool2d(x[None, :, :, None], 2, 2, "SAME"), tf.nn.moments(x, 0)
    patches = tf.image.extract_patches(x[None, :, :, None], [1, 2, 2, 1], [1] * 4, [1] * 4, "SAME")
    return (
        kept,
        pooled,
        patches,
        tf.image.crop_and_resize(x[None, :, :, None], boxes[:1], [0], [2, 2]),
    )


TEXTS = tf.TensorSpec([None], tf.string)


@pytest.mark.parametrize("body", [examples, pictures, strings])
def test_what_reads_texts_and_pictures_is_let_through(body: Callable[[Any], Any]) -> None:
    assert vet(body, TEXTS)


@pytest.mark.parametrize("body", [ragged_and_sparse, algebra, draws, flow, quantised, detection])
def test_what_computes_on_tensors_is_let_through(body: Callable[[Any], Any]) -> None:
    assert vet(body, numbers(8, 8))


def test_variables_and_generators_are_let_through() -> None:
    variable, generator = tf.Variable(tf.ones([3, 2])), tf.random.Generator.from_seed(1)

    def body(x: Any) -> Any:
        variable.assign_add(x[:3, :2])
        gathered = tf.gather(variable, [0]), variable.sparse_read([0])
        return gathered, tf.nn.embedding_lookup(variable, [1]), generator.normal([2])

    assert {"ResourceGather", "AssignAddVariableOp", "RngReadAndSkip"} <= vet(body, numbers(8, 8))


def test_the_control_flow_of_tensorflow_1_is_let_through() -> None:
    graph = tf.Graph()
    with graph.as_default():
        v1.disable_control_flow_v2()
        try:
            x = v1.placeholder(tf.float32, [None], name="x")
            y = v1.cond(tf.size(x) > 0, lambda: x, lambda: -x)
            tf.while_loop(lambda i: i < 3, lambda i: i + 1, [tf.size(y)])
        finally:
            v1.enable_control_flow_v2()
        count = v1.get_variable("count", [], use_resource=False)
        v1.assign_add(count, 1.0)
    ops = {node.op for node in graph.as_graph_def().node}
    assert {"Switch", "Merge", "Enter", "Exit", "NextIteration", "VariableV2"} <= ops
    vet_graph(graph.as_graph_def(), (), 0).check_none()


@pytest.mark.skipif(not MODELS.is_dir(), reason="the models are not at hand")
def test_networks_of_experiments_are_let_through() -> None:
    files = sorted(MODELS.glob("*.pb"))
    assert files
    for file in files:
        vet_graph(read_graph(file), (), file.stat().st_size).check_none()


@pytest.mark.skipif(not PROTOCOLS.is_dir(), reason="the models are not at hand")
def test_models_of_tensorflow_serving_are_let_through() -> None:
    folders = sorted(file.parent for file in PROTOCOLS.rglob("saved_model.pb"))
    assert folders
    for folder in folders:
        assert read_vetted(folder, frozenset({"serve"}), LoadOptions()).uses is not None


def test_a_large_graph_is_vetted_without_unfolding_it(tmp_path: Path) -> None:
    """Its constants are in its file, whatever they take."""
    graph = tf.Graph()
    with graph.as_default():
        x = v1.placeholder(tf.float32, [None, 1024], name="x")
        for _ in range(3):
            x = x @ tf.constant(np.random.default_rng(1).random((1024, 1024), np.float32))
    file = tmp_path / "model.pb"
    file.write_bytes(graph.as_graph_def().SerializeToString())
    GraphRuntime().load(file, Params(), LoadOptions(threads=1)).close()
