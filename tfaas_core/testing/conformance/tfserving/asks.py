"""Requests of TensorFlow Serving's REST API."""

from __future__ import annotations

from typing import Any

from tfaas_core.testing.conformance.exchange import Ask, get, model_path, post
from tfaas_core.testing.conformance.models import AFFINE, EXAMPLES, PAIR, TEXT, TYPES

V1 = "/v1"


def at(
    model: str, rest: str = "", version: int | str | None = None, label: str | None = None
) -> Ask:
    """A GET of what is told of a model."""
    path = model_path(V1, model, version, label) + rest
    number = "" if version is None else str(version)
    return get(path, model=model, version=number, label=label or "")


def ask_verb(
    verb: str,
    model: str,
    document: Any,
    version: int | None = None,
    label: str | None = None,
) -> Ask:
    """A POST of ``document``, or of the text or the bytes that it is."""
    path = f"{model_path(V1, model, version, label)}:{verb}"
    number = "" if version is None else str(version)
    return post(path, document, model=model, version=number, label=label or "")


def rows(model: str, *instances: Any, **more: Any) -> Ask:
    """``instances``; ``more`` are further keys."""
    return ask_verb("predict", model, {"instances": list(instances), **more})


def columns(model: str, inputs: Any, **more: Any) -> Ask:
    """``inputs``; ``more`` are further keys."""
    return ask_verb("predict", model, {"inputs": inputs, **more})


def affine_rows(*instances: Any, **more: Any) -> Ask:
    """Rows for the model of one input."""
    return rows(AFFINE, *instances, **more)


def pair_rows(*instances: Any, **more: Any) -> Ask:
    """Rows for the model of two inputs."""
    return rows(PAIR, *instances, **more)


def of_type(name: str, *values: Any) -> Ask:
    """Values for the signature of one dtype, whose answer is the same values."""
    return rows(TYPES, *values, signature_name=name)


def texts(signature: str, *values: Any) -> Ask:
    """Texts for a signature of the model of texts."""
    return rows(TEXT, *values, signature_name=signature)


def classify(*examples: Any, **more: Any) -> Ask:
    """Examples to classify."""
    document = {"signature_name": "classify", "examples": list(examples), **more}
    return ask_verb("classify", EXAMPLES, document)


def regress(*examples: Any, **more: Any) -> Ask:
    """Examples to regress."""
    return ask_verb("regress", EXAMPLES, {"examples": list(examples), **more})
