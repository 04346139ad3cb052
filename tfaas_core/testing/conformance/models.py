"""The small models that a server has to serve for the cases, as they are described to servers."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import msgspec

AFFINE = "conformance_affine"
"""``y = x + 1`` in version 1, ``y = x + 2`` in version 2; ``x`` is float32 ``[?, 3]``.

Its other signatures: ``inverse`` (``1 / x`` of a vector), ``scalar`` (``2 * x`` of rank 0),
``total`` (the sum of a matrix, of rank 0), and ``uneven`` (``all`` rows, and the ``first`` one).
"""

PAIR = "conformance_pair"
"""``sum`` and ``difference`` of ``a`` and ``b``, all int32 ``[?, 2]``."""

TYPES = "conformance_types"
"""``out_int8`` is ``in_int8``, and so on for ten datatypes, all vectors.

It has a signature for each of them, too, named ``int8``, say, which makes ``y`` of ``x``.
"""

HALVES = "conformance_halves"
"""The same for FP16 and BF16."""

TEXT = "conformance_text"
"""``copy`` and ``copy_bytes`` are the strings ``text``, a vector.

Its signatures ``plain`` and ``encoded`` have the first output alone, and the second one.
"""

EXAMPLES = "conformance_examples"
"""Parses serialized Examples, ``inputs``: ``outputs`` is twice their float feature ``x``.

So does the signature ``column``, of shape ``[?, 1]``. ``whole`` gives the int64 feature ``i``,
``length`` that of the bytes ``s``. ``classify`` has ``classes`` (``low``, ``high``) and ``scores``
(``1 - x``, ``x``); ``scores`` and ``classes`` have one of these.
"""

WRITER = "tfaas_backends.conformance_models"
"""Writes them; it takes TensorFlow, so it is a process of its own."""

STABLE, CANARY = "stable", "canary"


class End(msgspec.Struct, frozen=True):
    """An input or output; ``datatype`` as the Open Inference Protocol names it. -1: any size."""

    name: str
    datatype: str
    shape: tuple[int, ...]


class KitModel(msgspec.Struct, frozen=True):
    """A model, and the inputs and outputs of its default signature, each with a batch axis."""

    name: str
    inputs: tuple[End, ...]
    outputs: tuple[End, ...]
    versions: tuple[int, ...] = (1,)
    labels: dict[str, int] = {}


TYPE_NAMES = (
    *("BOOL", "INT8", "INT16", "INT32", "INT64"),
    *("UINT8", "UINT16", "UINT32", "UINT64", "FP32", "FP64"),
)
"""Those of the model ``TYPES``."""


def _vectors(side: str, datatypes: tuple[str, ...]) -> tuple[End, ...]:
    return tuple(End(f"{side}_{d.lower()}", d, (-1,)) for d in datatypes)


_HALF_NAMES = ("FP16", "BF16")

MODELS = (
    KitModel(
        AFFINE,
        (End("x", "FP32", (-1, 3)),),
        (End("y", "FP32", (-1, 3)),),
        (1, 2),
        {STABLE: 1, CANARY: 2},
    ),
    KitModel(
        PAIR,
        (End("a", "INT32", (-1, 2)), End("b", "INT32", (-1, 2))),
        (End("sum", "INT32", (-1, 2)), End("difference", "INT32", (-1, 2))),
    ),
    KitModel(TYPES, _vectors("in", TYPE_NAMES), _vectors("out", TYPE_NAMES)),
    KitModel(HALVES, _vectors("in", _HALF_NAMES), _vectors("out", _HALF_NAMES)),
    KitModel(
        TEXT,
        (End("text", "BYTES", (-1,)),),
        (End("copy", "BYTES", (-1,)), End("copy_bytes", "BYTES", (-1,))),
    ),
    KitModel(EXAMPLES, (End("inputs", "BYTES", (-1,)),), (End("outputs", "FP32", (-1,)),)),
)

_BATCHES = (AFFINE, PAIR)
"""Triton is told that the first axis of these is a batch; it asks for one of classifications."""

_MAX_BATCH_SIZE = 1 << 20


def triton_config(model: KitModel) -> str:
    """Its ``config.pbtxt``."""
    batches = model.name in _BATCHES
    lines = [
        f'name: "{model.name}"',
        'platform: "tensorflow_savedmodel"',
        f"max_batch_size: {_MAX_BATCH_SIZE if batches else 0}",
        "version_policy: { all { } }",
    ]
    for key, ends in (("input", model.inputs), ("output", model.outputs)):
        for end in ends:
            kind = "TYPE_STRING" if end.datatype == "BYTES" else f"TYPE_{end.datatype}"
            dims = ", ".join(map(str, end.shape[1:] if batches else end.shape))
            lines.append(f'{key} [ {{ name: "{end.name}", data_type: {kind}, dims: [ {dims} ] }} ]')
    return "\n".join(lines) + "\n"


def serving_config(folder: Path) -> str:
    """The ``models.config`` of TensorFlow Serving for all models, which are in ``folder``."""
    return "model_config_list {\n" + "".join(_serving(folder, m) for m in MODELS) + "}\n"


def _serving(folder: Path, model: KitModel) -> str:
    labels = "".join(
        f'    version_labels {{ key: "{label}" value: {version} }}\n'
        for label, version in model.labels.items()
    )
    return (
        "  config {\n"
        f'    name: "{model.name}"\n'
        f"    base_path: {json.dumps(str(folder / model.name))}\n"
        '    model_platform: "tensorflow"\n'
        "    model_version_policy { all { } }\n"
        f"{labels}  }}\n"
    )


class CannotWrite(Exception):
    """The models cannot be written; the text says why."""


def write_models(folder: Path) -> None:
    """Writes them to ``folder``, which is made, for each kind of server.

    ``tensorflow_serving/`` has a base path for each, and ``models.config``; ``triton/`` is a model
    repository. Raises CannotWrite.
    """
    run = subprocess.run(
        [sys.executable, "-m", WRITER, str(folder)],
        capture_output=True,
        text=True,
        errors="replace",
        check=False,
    )
    if run.returncode:
        lines = run.stderr.strip().splitlines()
        raise CannotWrite(lines[-1] if lines else f"its process exited with {run.returncode}")
