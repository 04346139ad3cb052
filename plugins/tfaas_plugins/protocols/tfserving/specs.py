"""The ModelSpec of a call: which model it goes to, and what is answered of that."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.errors import BadBody
from tfaas_core.models.model import DEFAULT_SIGNATURE, ModelVersion
from tfaas_core.predict.target import Target
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.tfserving.sent import MOST_HEAD_BYTES


def read_spec(pieces: Sequence[bytes]) -> Target:
    """What a ModelSpec names; ``pieces`` are all that a message has of it. Raises BadBody."""
    if not pieces:
        raise BadBody("Missing ModelSpec")
    if sum(map(len, pieces)) > MOST_HEAD_BYTES:
        raise BadBody(f"model_spec has more than {MOST_HEAD_BYTES} bytes")
    spec = message_class("tensorflow.serving.ModelSpec")()
    try:
        for piece in pieces:
            spec.MergeFromString(piece)
    except DecodeError:
        raise BadBody("model_spec is broken") from None
    return target_of(spec)


def target_of(spec: Any) -> Target:
    """What a ModelSpec names. Raises BadBody if it has no name."""
    if not spec.name:
        raise BadBody("ModelSpec has no name specified.")
    chosen = spec.WhichOneof("version_choice")
    return Target(
        spec.name,
        spec.version.value if chosen == "version" else None,
        spec.version_label if chosen == "version_label" else None,
        spec.signature_name or DEFAULT_SIGNATURE,
    )


def spec_of(version: ModelVersion, signature: str = "") -> Any:
    """The ModelSpec of an answer."""
    spec = message_class("tensorflow.serving.ModelSpec")(
        name=version.name, signature_name=signature
    )
    spec.version.value = version.version
    return spec
