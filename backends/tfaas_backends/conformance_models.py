"""Writes the models of the conformance kit to the folder that its command line names."""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.testing.conformance.models import (
    AFFINE,
    EXAMPLES,
    HALVES,
    MODELS,
    PAIR,
    TEXT,
    TYPES,
    KitModel,
    serving_config,
    triton_config,
)

Signatures = dict[str, Any]


def write(folder: Path) -> None:
    """Writes all of them below ``folder``, for TensorFlow Serving and for Triton."""
    serving, triton = folder / "tensorflow_serving", folder / "triton"
    for model in MODELS:
        for version in model.versions:
            number = str(version)
            target = serving / model.name / number
            _save(_SIGNATURES[model.name](version), target)
            copy = triton / model.name / number / "model.savedmodel"
            shutil.copytree(target, copy, dirs_exist_ok=True)
        (triton / model.name / "config.pbtxt").write_text(triton_config(model))
    (serving / "models.config").write_text(serving_config(serving.resolve()))


def _save(signatures: Signatures, folder: Path) -> None:
    module = tf.Module()
    # The module has to own the functions: the file keeps what it reaches.
    module.functions = list(signatures.values())
    tf.saved_model.save(module, str(folder), signatures)


def _signature(body: Callable[..., Signatures], **inputs: Any) -> Any:
    """``inputs``: TensorSpecs by name."""
    specs = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in inputs.items()]
    return tf.function(body, input_signature=specs, autograph=False)


def _affine(version: int) -> Signatures:
    rows = tf.TensorSpec([None, 3], tf.float32)
    vector = tf.TensorSpec([None], tf.float32)
    scalar = tf.TensorSpec([], tf.float32)
    return {
        "serving_default": _signature(lambda x: {"y": x + float(version)}, x=rows),
        "inverse": _signature(lambda x: {"y": 1.0 / x}, x=vector),
        "scalar": _signature(lambda x: {"y": x * 2.0}, x=scalar),
        "total": _signature(lambda x: {"sum": tf.reduce_sum(x)}, x=rows),
        "uneven": _signature(lambda x: {"all": tf.identity(x), "first": x[:1]}, x=rows),
    }


def _pair(_version: int) -> Signatures:
    rows = tf.TensorSpec([None, 2], tf.int32)
    both = _signature(lambda a, b: {"sum": a + b, "difference": a - b}, a=rows, b=rows)
    return {"serving_default": both}


def _copies(model: KitModel) -> Signatures:
    dtypes = {end.name.removeprefix("in_"): _dtype(end.datatype) for end in model.inputs}

    def all_of_them(**tensors: Any) -> Signatures:
        return {name.replace("in_", "out_"): tf.identity(x) for name, x in tensors.items()}

    specs = {f"in_{name}": tf.TensorSpec([None], dtype) for name, dtype in dtypes.items()}
    signatures = {
        name: _signature(lambda x: {"y": tf.identity(x)}, x=tf.TensorSpec([None], dtype))
        for name, dtype in dtypes.items()
    }
    named = [tf.TensorSpec(spec.shape, spec.dtype, name) for name, spec in specs.items()]
    function = tf.function(
        lambda *tensors: all_of_them(**dict(zip(specs, tensors, strict=True))),
        input_signature=named,
        autograph=False,
    )
    return {"serving_default": function, **signatures}


def _dtype(datatype: str) -> Any:
    words = {"BOOL": "bool", "FP16": "float16", "BF16": "bfloat16", "FP32": "float32"}
    return tf.dtypes.as_dtype({**words, "FP64": "float64"}.get(datatype, datatype.lower()))


def _text(_version: int) -> Signatures:
    strings = tf.TensorSpec([None], tf.string)

    def copies(*names: str) -> Any:
        return _signature(lambda text: {name: tf.identity(text) for name in names}, text=strings)

    return {
        "serving_default": copies("copy", "copy_bytes"),
        "plain": copies("copy"),
        "encoded": copies("copy_bytes"),
    }


def _examples(_version: int) -> Signatures:
    def parsed(inputs: Any, name: str, dtype: Any) -> Any:
        return tf.io.parse_example(inputs, {name: tf.io.FixedLenFeature([], dtype)})[name]

    def x(inputs: Any) -> Any:
        return parsed(inputs, "x", tf.float32)

    def scores(inputs: Any) -> Any:
        return tf.stack([1.0 - x(inputs), x(inputs)], 1)

    def classes(inputs: Any) -> Any:
        return tf.tile([["low", "high"]], [tf.shape(inputs)[0], 1])

    def length(inputs: Any) -> Any:
        return tf.cast(tf.strings.length(parsed(inputs, "s", tf.string)), tf.float32)

    def of(body: Callable[[Any], Signatures]) -> Any:
        return _signature(body, inputs=tf.TensorSpec([None], tf.string))

    return {
        "serving_default": of(lambda inputs: {"outputs": 2.0 * x(inputs)}),
        "column": of(lambda inputs: {"outputs": 2.0 * x(inputs)[:, None]}),
        "whole": of(lambda inputs: {"outputs": tf.cast(parsed(inputs, "i", tf.int64), tf.float32)}),
        "length": of(lambda inputs: {"outputs": length(inputs)}),
        "classify": of(lambda inputs: {"classes": classes(inputs), "scores": scores(inputs)}),
        "scores": of(lambda inputs: {"scores": scores(inputs)}),
        "classes": of(lambda inputs: {"classes": classes(inputs)}),
    }


_BY_NAME = {model.name: model for model in MODELS}

_SIGNATURES: dict[str, Callable[[int], Signatures]] = {
    AFFINE: _affine,
    PAIR: _pair,
    TYPES: lambda _version: _copies(_BY_NAME[TYPES]),
    HALVES: lambda _version: _copies(_BY_NAME[HALVES]),
    TEXT: _text,
    EXAMPLES: _examples,
}


def main() -> None:
    """Writes them to the folder that the command line names; one line on stderr if it cannot."""
    try:
        write(Path(sys.argv[1]))
    except OSError as error:
        sys.exit(str(error))


if __name__ == "__main__":
    main()
