"""RequestReader: infer requests over REST, read as far as they need no model."""

from __future__ import annotations

from functools import partial

import msgspec

from tfaas_core.errors import BadBody
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.notes import noted
from tfaas_core.predict.target import Target
from tfaas_core.tensors import Array
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.oip.answers import JSON_LENGTH
from tfaas_plugins.protocols.oip.inference import Read, held
from tfaas_plugins.protocols.oip.input_forms import InputForms
from tfaas_plugins.protocols.oip.prepared import PreparedRequests
from tfaas_plugins.protocols.oip.raw_input import raw_input
from tfaas_plugins.protocols.oip.requests import NUMBERS, InferBody, infer_body, usual_infer_body
from tfaas_plugins.protocols.oip.usual_body import UsualBody, usual_body

_NO_TAIL = memoryview(b"")


class InferHead(msgspec.Struct, frozen=True):
    """What the head of an infer request says: of the answer, by which ``encoding`` it goes."""

    path: str
    target: Target
    json_length: str | None
    encoding: str

    def with_signature(self, name: str | None) -> Target:
        """The target, and its signature."""
        return self.target if name is None else msgspec.structs.replace(self.target, signature=name)


class RequestReader:
    """Reads bodies, the usual ones in short ways of their own. Threads may share it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._prepared = PreparedRequests()

    def read(self, head: InferHead, body: bytes) -> tuple[Target, Read]:
        """What a request names, and what holds it to a version; ``body`` was unpacked.

        Raises BadBody, and TooLarge.
        """
        if head.json_length is None:
            return self._read_json(head, body)
        length = _json_length(head.json_length, len(body))
        if length == 0 and body:
            return head.target, partial(raw_input, body)
        text, tail = body[:length], memoryview(body)[length:]
        prepared = self._prepared.of(head.path, text)
        if prepared is not None and prepared.tail_bytes == len(tail):
            return head.with_signature(prepared.signature), partial(prepared.read, tail)
        asked = self._parsed(text, tail)
        self._prepared.keep(head.path, text, asked)
        return head.with_signature(asked.signature), held(asked)

    def _read_json(self, head: InferHead, body: bytes) -> tuple[Target, Read]:
        usual = usual_body(body, self._host.config.limits)
        if usual is None:
            asked = self._parsed(body, _NO_TAIL)
            return head.with_signature(asked.signature), held(asked)
        asked = usual_infer_body(usual)
        return head.with_signature(asked.signature), partial(self._held, body, usual, asked)

    def _held(
        self,
        body: bytes,
        usual: UsualBody,
        asked: InferBody,
        version: ModelVersion,
        allowance: Allowance,
    ) -> tuple[InferBody, dict[str, Array]]:
        """The inputs of a usual body as the version takes them."""
        arrays = noted(version, InputForms).arrays(usual.inputs)
        if arrays is not None:
            return asked, arrays
        # What is unusual about them, a closer look tells.
        return held(self._parsed(body, _NO_TAIL))(version, allowance)

    def _parsed(self, text: bytes, tail: memoryview) -> InferBody:
        try:
            document = read(text, self._host.config.limits, NUMBERS)
        except NotJson as error:
            raise BadBody(
                f"failed to parse the request JSON buffer: {error.message} at {error.offset}"
            ) from None
        return infer_body(document, tail)


def _json_length(text: str, body_bytes: int) -> int:
    """How many bytes of a body are JSON. Raises BadBody."""
    if not text.isascii() or not text.isdecimal():
        raise BadBody(f"Unable to parse {JSON_LENGTH}, got: {text[:40]}")
    if len(text) > 18 or int(text) > body_bytes:
        raise BadBody(
            f"inference header size should be in range (0, {body_bytes}), got: {text[:40]}"
        )
    return int(text)
