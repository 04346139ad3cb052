"""Makes the demo model ``digits``: ``python -m tfaas_backends.demo.train_digits OUTDIR``.

The network reads handwritten digits: real ones, which 13 people wrote. The pictures come with
scikit-learn, which only this script needs (``pip install scikit-learn``); README.md beside it
says whose they are. The network is packed as a bundle, and some of the pictures that it was not
trained on are written beside it.
"""

from __future__ import annotations

import gzip
import importlib
import io
import sys
import tarfile
import tempfile
import time
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
from PIL import Image

from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.tensors import Array

NAME = "digits"
SIDE, DIGITS = 8, 10
FILTERS = (16, 32, 32)

SEED = 20
TEST_PICTURES = 360
"""The last ones: one person's pictures stand together, so most of these are of new hands."""

SHOWN = (0, 2, 3, 5, 8, 9)
"""The digits of which a picture is written."""

EPOCHS, BATCH = 60, 64
LEARNING_RATE = 2e-3

_DARKEST = 16
"""What scikit-learn calls ink; paper is 0."""

PARAMS = {
    "name": NAME,
    "description": (
        "Handwritten digits: a grey picture of 8 by 8, light ink on dark paper, to the"
        " probabilities of 0 to 9."
    ),
    "image": {"scale": "none", "resize": "bilinear"},
}


class Pictures(msgspec.Struct, frozen=True):
    """``numbers`` int64 [n] in the data set, ``grey`` uint8 [n, 8, 8], ``digits`` int64 [n]."""

    numbers: Array
    grey: Array
    digits: Array

    def only(self, chosen: Array) -> Pictures:
        """Those that ``chosen``, a mask or indices, chooses."""
        return Pictures(self.numbers[chosen], self.grey[chosen], self.digits[chosen])


def pictures() -> Pictures:
    """All 1797, in the data set's order, ink being 255."""
    try:
        loaded = importlib.import_module("sklearn.datasets").load_digits()
    except ImportError:
        sys.exit("the pictures come with scikit-learn: pip install scikit-learn")
    grey = np.rint(loaded.images * (255 / _DARKEST)).astype(np.uint8)
    return Pictures(np.arange(len(grey)), grey, loaded.target)


def network_input(grey: Array) -> Array:
    """Pictures as the network takes them: float32 [n, 8, 8, 1], 0 to 255."""
    return grey[..., None].astype(np.float32)


def trained_network(training: Pictures, random: np.random.Generator) -> Any:
    """The trained Keras model; its weights alone, without what training keeps of them."""
    steps = EPOCHS * len(training.digits) // BATCH
    network = _network()
    network.compile(
        tf.keras.optimizers.AdamW(
            tf.keras.optimizers.schedules.CosineDecay(LEARNING_RATE, steps), weight_decay=0.01
        ),
        "sparse_categorical_crossentropy",
    )
    for _ in range(EPOCHS):
        moved = network_input(_moved(training.grey, random))
        network.fit(moved, training.digits, batch_size=BATCH, verbose=0)
    bare = _network()
    bare.set_weights(network.get_weights())
    return bare


def _network() -> Any:
    layers = tf.keras.layers
    network = tf.keras.Sequential([tf.keras.Input((SIDE, SIDE, 1), name="picture")])
    network.add(layers.Rescaling(1 / 255))
    for number, filters in enumerate(FILTERS):
        network.add(layers.Conv2D(filters, 3, padding="same", activation="relu"))
        if number == 1:
            network.add(layers.MaxPooling2D())
    network.add(layers.Flatten())
    network.add(layers.Dense(DIGITS, "softmax"))
    return network


def _moved(grey: Array, random: np.random.Generator) -> Array:
    """Each picture up to one pixel off its place, in any direction."""
    padded = np.pad(grey, ((0, 0), (1, 1), (1, 1)))
    windows = np.lib.stride_tricks.sliding_window_view(padded, (SIDE, SIDE), axis=(1, 2))
    down, right = random.integers(0, 3, (2, len(grey)))
    moved: Array = windows[np.arange(len(grey)), down, right]
    return moved


def export(network: Any, folder: Path) -> None:
    """Writes the model's folder: the SavedModel, with ``params.json`` and ``labels.txt``."""
    network.export(str(folder), verbose=False)
    # A checksum that TensorFlow does not look at.
    (folder / "fingerprint.pb").unlink()
    (folder / "params.json").write_bytes(msgspec.json.format(msgspec.json.encode(PARAMS)) + b"\n")
    (folder / "labels.txt").write_text("".join(f"{digit}\n" for digit in range(DIGITS)))


def pack(folder: Path) -> bytes:
    """The folder as a gzipped tarball: the same files make the same bytes, whenever and whoever."""
    tarball = io.BytesIO()
    with tarfile.open(fileobj=tarball, mode="w", format=tarfile.USTAR_FORMAT) as archive:
        for file in sorted(path for path in folder.rglob("*") if path.is_file()):
            content = file.read_bytes()
            # A new one is root's, of 1970, and readable by all.
            member = tarfile.TarInfo(f"{folder.name}/{file.relative_to(folder).as_posix()}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return gzip.compress(tarball.getvalue(), mtime=0)


def answers(bundle: bytes, grey: Array) -> Array:
    """What TensorFlow's own signature function says of pictures, float32 [n, 10]."""
    with tempfile.TemporaryDirectory() as folder:
        with tarfile.open(fileobj=io.BytesIO(bundle)) as archive:
            archive.extractall(folder, filter="data")
        model = tf.saved_model.load(f"{folder}/{NAME}")
        (output,) = model.signatures["serving_default"](tf.constant(network_input(grey))).values()
        probabilities: Array = output.numpy()
    return probabilities


def write_pictures(right: Pictures, folder: Path) -> None:
    """The first picture of each digit of SHOWN as ``digit-<digit>-<number>.png``."""
    folder.mkdir(exist_ok=True)
    for digit in SHOWN:
        first = right.only(right.digits == digit).only(np.array([0]))
        Image.fromarray(first.grey[0]).save(folder / f"digit-{digit}-{first.numbers[0]}.png")


def main(folder: Path) -> None:
    """Trains, writes ``digits.tar.gz`` and ``pictures/``, and prints the accuracy."""
    start_s = time.perf_counter()
    tf.keras.utils.set_random_seed(SEED)
    tf.config.experimental.enable_op_determinism()
    random = np.random.default_rng(SEED)
    every = pictures()
    test = every.only(every.numbers >= len(every.numbers) - TEST_PICTURES)
    training = every.only(every.numbers < test.numbers[0])
    network = trained_network(training, random)
    with tempfile.TemporaryDirectory() as temporary:
        export(network, Path(temporary, NAME))
        bundle = pack(Path(temporary, NAME))
    right = answers(bundle, test.grey).argmax(axis=1) == test.digits
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{NAME}.tar.gz").write_bytes(bundle)
    write_pictures(test.only(right), folder / "pictures")
    took_s = time.perf_counter() - start_s
    print(f"accuracy {right.mean():.1%} on {TEST_PICTURES} pictures kept aside, {took_s:.0f} s")


if __name__ == "__main__":
    if len(sys.argv) != 2:
        sys.exit("usage: python -m tfaas_backends.demo.train_digits OUTDIR")
    main(Path(sys.argv[1]))
