"""GrpcSubject: a server that is examined over gRPC."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator, Mapping
from typing import Any

import grpc

from tfaas_core.testing.conformance.calls.asks import INFERENCE, MODEL_SERVICE, STREAM, grpc_call
from tfaas_core.testing.conformance.calls.messages import documents_of, message_bytes
from tfaas_core.testing.conformance.exchange import CODE, MAX_BODY_BYTES, Ask, Reply
from tfaas_core.testing.conformance.sending import NoReply
from tfaas_core.testing.conformance.subject import Examined
from tfaas_core.testing.conformance.words import cut

_STATUSES = {
    **{"OK": 200, "INVALID_ARGUMENT": 400, "FAILED_PRECONDITION": 400, "OUT_OF_RANGE": 400},
    **{"UNAUTHENTICATED": 401, "PERMISSION_DENIED": 403, "NOT_FOUND": 404},
    **{"ALREADY_EXISTS": 409, "UNIMPLEMENTED": 501, "UNAVAILABLE": 503},
}
"""As TensorFlow Serving says them over HTTP; all others are 500."""

_JSON = {"content-type": "application/json"}
_MOST_MESSAGES = 100
_OPTIONS = [
    ("grpc.max_receive_message_length", MAX_BODY_BYTES),
    ("grpc.max_send_message_length", -1),
    ("grpc.enable_retries", 0),
]


class GrpcSubject(Examined):
    """A server at ``address``, like ``127.0.0.1:8001``; used in a ``with``, which closes it.

    ``metadata`` goes with each call, an answer has to be there within ``timeout_s``, and
    ``credentials`` are what TLS is spoken with; None: it is not spoken.
    """

    def __init__(
        self,
        address: str,
        metadata: Mapping[str, str] | None = None,
        timeout_s: float = 30.0,
        credentials: Any = None,
    ) -> None:
        super().__init__()
        self._metadata = [(name.lower(), value) for name, value in (metadata or {}).items()]
        self._timeout_s = timeout_s
        self._channel: Any = (
            grpc.insecure_channel(address, _OPTIONS)
            if credentials is None
            else grpc.secure_channel(address, credentials, _OPTIONS)
        )

    def __enter__(self) -> GrpcSubject:
        return self

    def __exit__(self, *_: object) -> None:
        self._channel.close()

    def _send(self, ask: Ask) -> Reply:
        documents = json.loads(ask.body or b"{}")
        try:
            if ask.method == STREAM:
                found = self._streamed(ask, message_bytes(ask.path, documents))
                return _reply({"messages": documents_of(ask.path, found)})
            (message,) = message_bytes(ask.path, [documents])
            answer = self._channel.unary_unary(ask.path)(message, **self._options(ask))
            return _reply(documents_of(ask.path, [answer])[0])
        except grpc.RpcError as error:
            return self._refusal(error)

    def _streamed(self, ask: Ask, messages: list[bytes]) -> list[bytes]:
        """As many messages as were sent at most: then the stream is ended."""
        over = threading.Event()

        def sent() -> Iterator[bytes]:
            yield from messages
            over.wait(self._timeout_s)

        call = self._channel.stream_stream(ask.path)(sent(), **self._options(ask))
        found = []
        try:
            for message in call:
                found.append(message)
                if len(found) >= len(messages):
                    over.set()
                if len(found) > _MOST_MESSAGES:
                    raise NoReply(f"more than {_MOST_MESSAGES} messages")
        finally:
            over.set()
            call.cancel()
        return found

    def _options(self, ask: Ask) -> dict[str, Any]:
        metadata = [*self._metadata, *ask.headers.items()]
        return {"metadata": metadata, "timeout": self._timeout_s}

    def _refusal(self, error: Any) -> Reply:
        name, details = error.code().name, str(error.details() or "")
        if name == "DEADLINE_EXCEEDED":
            raise NoReply(f"no whole answer within {self._timeout_s:g} s")
        if name == "UNAVAILABLE" and "connect" in details.lower():
            raise NoReply(f"no answer: {cut(details)}")
        return Reply(
            _STATUSES.get(name, 500),
            {CODE: name, **_JSON},
            json.dumps({"error": details}).encode(),
        )

    def _about_server(self) -> Ask:
        return grpc_call(INFERENCE, "ServerMetadata", {})

    def _about_model(self, ask: Ask) -> Ask:
        if INFERENCE in ask.path:
            named = {"name": ask.model, "version": ask.version}
            return grpc_call(INFERENCE, "ModelMetadata", named)
        spec: dict[str, Any] = {"name": ask.model}
        if ask.version:
            spec["version"] = ask.version
        if ask.label:
            spec["version_label"] = ask.label
        return grpc_call(MODEL_SERVICE, "GetModelStatus", {"model_spec": spec})


def _reply(document: Any) -> Reply:
    return Reply(200, {CODE: "OK", **_JSON}, json.dumps(document).encode())
