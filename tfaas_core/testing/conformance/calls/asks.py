"""Calls: requests over gRPC, whose messages are written as JSON documents."""

from __future__ import annotations

import base64
import json
from collections.abc import Sequence
from typing import Any

from tfaas_core.testing.conformance.case import Expectation
from tfaas_core.testing.conformance.exchange import CODE, Ask, Reply, Unmet
from tfaas_core.testing.conformance.expect import expectation

INFERENCE = "inference.GRPCInferenceService"
PREDICTION = "tensorflow.serving.PredictionService"
MODEL_SERVICE = "tensorflow.serving.ModelService"

UNARY, STREAM = "CALL", "STREAM"
"""Methods of an Ask: its body is the JSON of a message, or of a list of them."""


def grpc_call(
    service: str, method: str, document: Any, model: str = "", version: str = "", label: str = ""
) -> Ask:
    """A call; in ``document``, bytes are written as they are."""
    return _asked(UNARY, f"/{service}/{method}", document, model, version, label)


def grpc_stream(service: str, method: str, *documents: Any, model: str = "") -> Ask:
    """A call that sends messages, and is answered by messages: ``{"messages": [...]}``."""
    return _asked(STREAM, f"/{service}/{method}", list(documents), model, "", "")


def _asked(method: str, path: str, document: Any, model: str, version: str, label: str) -> Ask:
    body = json.dumps(document, default=b64).encode()
    return Ask(method, path, {}, body, model, version, label)


def b64(content: bytes) -> str:
    """Bytes, as JSON has those of messages."""
    return base64.b64encode(content).decode()


def code(*allowed: str) -> Expectation:
    """One of these codes."""

    def look(reply: Reply) -> None:
        if reply.headers.get(CODE) not in allowed:
            raise Unmet(reply.short)

    return expectation(f"code {' or '.join(allowed)}", look)


ANSWERED = code("OK")

INVALID = code("INVALID_ARGUMENT")


def messages_where(words: str, holds: Any) -> Expectation:
    """What a function finds true of the messages of a stream, which ended well."""

    def look(reply: Reply) -> None:
        found = reply.document["messages"] if reply.headers.get(CODE) == "OK" else None
        try:
            is_so = found is not None and bool(holds(found))
        except (LookupError, TypeError, AttributeError, ValueError):
            is_so = False
        if not is_so:
            raise Unmet(reply.short)

    return expectation(words, look)


def from_b64(values: Sequence[Any]) -> list[bytes]:
    """Bytes of a message, as they were before JSON; raises ValueError."""
    return [base64.b64decode(value, validate=True) for value in values]
