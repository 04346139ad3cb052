"""The paths of TensorFlow Serving's REST API."""

from __future__ import annotations

import re
from typing import Literal, cast

import msgspec

from tfaas_core.errors import BadBody, MethodNotAllowed, TfaasError
from tfaas_core.models.model import DEFAULT_SIGNATURE
from tfaas_core.predict.target import Target
from tfaas_core.routing.pattern import decoded

_MODEL = re.compile(
    r"/v1/models/([^/:]+)(?:/versions/([0-9]+)|/labels/([^/:]+))?"
    r"(?::(predict|classify|regress)|/(metadata))?/*",
    re.IGNORECASE,
)
_HIGHEST = (1 << 63) - 1
_MOST_DIGITS = 19
_SHOWN = 200

Verb = Literal["predict", "classify", "regress", "metadata", "status"]
_POSTED = ("predict", "classify", "regress")


class Asked(msgspec.Struct, frozen=True):
    """What a path asks for, and of which model; its signature is the default one."""

    verb: Verb
    target: Target


def read_path(method: str, raw_path: str) -> Asked:
    """What a path, as sent, asks for. Raises BadBody for one that asks for nothing known."""
    match = _MODEL.fullmatch(raw_path)
    if match is None:
        raise BadBody(_malformed(method, raw_path))
    name, number, label, verb, metadata = match.groups()
    asked = cast(Verb, (verb or metadata or "status").lower())
    label = None if label is None else decoded(label)
    target = Target(_name(name), _number(number), label, DEFAULT_SIGNATURE)
    return _checked(method, raw_path, Asked(asked, target))


def _checked(method: str, raw_path: str, asked: Asked) -> Asked:
    is_posted = asked.verb in _POSTED
    if (method == "POST") is is_posted:
        return asked
    allowed = ("POST",) if is_posted else ("GET", "HEAD")
    raise MethodNotAllowed(_malformed(method, raw_path), allowed)


def _malformed(method: str, raw_path: str) -> str:
    return f"Malformed request: {method} {raw_path[:_SHOWN]}"


def _name(text: str) -> str:
    try:
        return decoded(text)
    except TfaasError:
        raise BadBody(f"Failed to decode model name: {text[:_SHOWN]}") from None


def _number(text: str | None) -> int | None:
    if text is None:
        return None
    digits = text.lstrip("0") or "0"
    if len(digits) > _MOST_DIGITS or int(digits) > _HIGHEST:
        raise BadBody(f"Failed to convert version: {text[:_SHOWN]} to numeric.")
    return int(digits)
