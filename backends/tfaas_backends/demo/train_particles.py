"""Makes the demo model ``particles``: ``python -m tfaas_backends.demo.train_particles OUTDIR``.

The network finds the events in which a heavy particle decayed into two light ones. It is trained
on toy events, drawn from the few formulas below: no detector, no theory beyond two-body
kinematics. An event is a row of 14 particles, hardest first, of three numbers each: transverse
momentum in GeV, pseudorapidity, azimuth in radians. In half of the events two of the particles
come from the decay of a resonance of 91 GeV; in the other half, two others of a similar hardness
do not belong together.
"""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.tensors import Array

PARTICLES = 14
MASS_GEV, WIDTH_GEV = 91.0, 3.0
HIDDEN = (128, 128, 128, 64, 64, 1)

SEED = 20
TRAINING_EVENTS, TEST_EVENTS = 400_000, 50_000
EPOCHS, BATCH = 8, 512
LEARNING_RATE = 2e-3

EVENT = [
    *(47.9, 0.3, 3.0, 44.0, 0.6, -0.1, 8.4, 2.2, 1.5, 6.8, -0.6, -2.6, 6.2, -0.4, -0.4),
    *(5.5, 0.8, -0.4, 4.6, -3.4, -2.7, 3.4, 1.7, -1.3, 2.7, -2.3, -0.9, 2.0, 1.3, 2.5),
    *(1.5, -1.3, 2.8, 1.2, -1.0, -0.5, 1.2, -1.8, 3.1, 1.1, 1.5, 0.8),
]
"""A row that looks like one with a resonance, which the page's form is filled with."""

PARAMS = {
    "name": "particles",
    "model": "particles.pb",
    "inputNode": "particles",
    "outputNode": "signal",
    "description": (
        "Toy events: the probability that two of 14 particles come from the decay of a 91 GeV"
        " resonance. A row is pt (GeV), eta, phi of each particle, highest pt first: 42 numbers."
    ),
    "features": [f"{what}{n}" for n in range(1, PARTICLES + 1) for what in ("pt", "eta", "phi")],
    "example": {"values": EVENT},
}


class Dense(msgspec.Struct, frozen=True):
    """``kernel`` float32 [inputs, units], ``bias`` float32 [units]."""

    kernel: Any
    bias: Any


def toy_events(count: int, random: np.random.Generator) -> tuple[Array, Array]:
    """Rows float32 [count, 42], and labels float32 [count]: 1 if there was a resonance."""
    soft = _scattered(1 + random.exponential(5, (count, PARTICLES - 2)), random)
    lone = _scattered(5 + random.exponential(20, (count, 2)), random)
    decayed = random.random(count) < 0.5
    pair = np.where(decayed[:, None, None], _decays(count, random), lone)
    particles = np.concatenate([pair, soft], axis=1)
    order = np.argsort(-particles[:, :, 0], axis=1)
    particles = np.take_along_axis(particles, order[:, :, None], axis=1)
    return particles.reshape(count, -1).astype(np.float32), decayed.astype(np.float32)


def _scattered(pt: Array, random: np.random.Generator) -> Array:
    """Particles of the given transverse momenta, in directions that have nothing in common."""
    eta = random.normal(0, 1.5, pt.shape)
    return np.stack([pt, eta, random.uniform(-np.pi, np.pi, pt.shape)], axis=-1)


def _decays(count: int, random: np.random.Generator) -> Array:
    """Both massless products of a resonance that moves, [count, 2, 3]."""
    mass = random.normal(MASS_GEV, WIDTH_GEV, count)[:, None]
    pt, rapidity = random.exponential(40, count), random.normal(0, 1, count)
    azimuth = random.uniform(-np.pi, np.pi, count)
    transverse_mass = np.hypot(mass[:, 0], pt)
    energy = (transverse_mass * np.cosh(rapidity))[:, None]
    pz = transverse_mass * np.sinh(rapidity)
    momentum = np.stack([pt * np.cos(azimuth), pt * np.sin(azimuth), pz], axis=1)
    at_rest = _directions(count, random) * mass / 2
    return np.stack([_boosted(sign * at_rest, mass, energy, momentum) for sign in (1, -1)], axis=1)


def _directions(count: int, random: np.random.Generator) -> Array:
    """Unit vectors [count, 3], any direction as likely as any other."""
    vectors: Array = random.normal(size=(count, 3))
    vectors /= np.linalg.norm(vectors, axis=1, keepdims=True)
    return vectors


def _boosted(at_rest: Array, mass: Array, energy: Array, momentum: Array) -> Array:
    """A product's pt, eta, phi, [count, 3], of a parent with ``energy`` and ``momentum``."""
    along = np.sum(at_rest * momentum, axis=1, keepdims=True)
    x, y, z = (at_rest + momentum * (along / (energy + mass) + mass / 2) / mass).T
    pt = np.hypot(x, y)
    return np.stack([pt, np.arcsinh(z / pt), np.arctan2(y, x)], axis=1)


def trained_layers(rows: Array, labels: Array) -> list[Dense]:
    """The layers of the trained network; the first takes rows as they are."""
    mean, deviation = rows.mean(axis=0), rows.std(axis=0)
    steps = EPOCHS * len(rows) // BATCH
    network = _network()
    network.compile(
        tf.keras.optimizers.Adam(tf.keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps)),
        "binary_crossentropy",
    )
    network.fit((rows - mean) / deviation, labels, batch_size=BATCH, epochs=EPOCHS, verbose=0)
    layers = [Dense(*layer.get_weights()) for layer in network.layers]
    kernel = layers[0].kernel / deviation[:, None]
    return [Dense(kernel, layers[0].bias - mean @ kernel), *layers[1:]]


def _network() -> Any:
    layers = tf.keras.layers
    network = tf.keras.Sequential([tf.keras.Input((3 * PARTICLES,))])
    for units in HIDDEN[:-1]:
        network.add(layers.Dense(units, "relu", kernel_initializer="he_normal"))
    # A ReLU that is alone in its layer must not die: it starts far above 0, the next takes it back.
    far = tf.keras.initializers.Constant(6.0), tf.keras.initializers.Constant(-6.0)
    network.add(layers.Dense(HIDDEN[-1], "relu", bias_initializer=far[0]))
    network.add(layers.Dense(1, "sigmoid", kernel_initializer="ones", bias_initializer=far[1]))
    return network


def frozen_graph(layers: list[Dense]) -> Any:
    """The network as a GraphDef: ``particles``, float32 [None, 42], to ``signal`` [None, 1]."""
    graph = tf.Graph()
    with graph.as_default():
        tensor = tf.compat.v1.placeholder(tf.float32, [None, 3 * PARTICLES], name="particles")
        for number, layer in enumerate(layers, 1):
            with tf.name_scope(f"dense_{number}"):
                product = tf.matmul(tensor, tf.constant(layer.kernel, tf.float32, name="kernel"))
                sums = tf.nn.bias_add(product, tf.constant(layer.bias, tf.float32, name="bias"))
                tensor = tf.sigmoid(sums) if number == len(layers) else tf.nn.relu(sums)
        tf.identity(tensor, name="signal")
    return graph.as_graph_def()


def answers(graph_def: Any, rows: Array) -> Array:
    """What the graph says of each row, float32 [rows]."""
    graph = tf.Graph()
    with graph.as_default():
        tf.import_graph_def(graph_def, name="")
    with tf.compat.v1.Session(graph=graph) as session:
        signal: Array = session.run("signal:0", {"particles:0": rows})
    return signal[:, 0]


def main(folder: Path) -> None:
    """Trains, writes ``particles.pb`` and ``particles.params.json``, and prints the accuracy."""
    start_s = time.perf_counter()
    tf.keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    random = np.random.default_rng(SEED)
    graph_def = frozen_graph(trained_layers(*toy_events(TRAINING_EVENTS, random)))
    rows, labels = toy_events(TEST_EVENTS, random)
    accuracy = np.mean((answers(graph_def, rows) > 0.5) == (labels > 0.5))
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "particles.pb").write_bytes(graph_def.SerializeToString(deterministic=True))
    params = msgspec.json.format(msgspec.json.encode(PARAMS))
    (folder / "particles.params.json").write_bytes(params + b"\n")
    took_s = time.perf_counter() - start_s
    print(f"accuracy {accuracy:.1%} on {TEST_EVENTS} new events, {took_s:.0f} s")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tfaas_backends.demo.train_particles OUTDIR")
    main(Path(sys.argv[1]))
