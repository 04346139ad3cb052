"""RequestReader: infer requests over REST, read as far as they need no model."""

from __future__ import annotations

import re
from functools import partial

import msgspec

from tfaas_core.errors import BadBody
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.notes import noted
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.target import Target
from tfaas_core.route import Response
from tfaas_core.tensors import Array
from tfaas_plugins.codecs.json.numbers import SMALLEST_BYTES
from tfaas_plugins.codecs.values.bounds import Allowance
from tfaas_plugins.codecs.values.usual import MOST_ARRAY_BYTES
from tfaas_plugins.protocols.json_text import NotJson, read
from tfaas_plugins.protocols.oip.infer.answers import JSON_LENGTH
from tfaas_plugins.protocols.oip.infer.input_forms import InputForms
from tfaas_plugins.protocols.oip.infer.prepared import PreparedBinary, PreparedLists
from tfaas_plugins.protocols.oip.infer.raw_input import raw_input
from tfaas_plugins.protocols.oip.infer.requests import (
    NUMBERS,
    InferBody,
    infer_body,
    usual_infer_body,
)
from tfaas_plugins.protocols.oip.infer.usual_body import UsualBody, usual_body
from tfaas_plugins.protocols.oip.inference import Read, held
from tfaas_plugins.protocols.prepared import MOST_TEXT_BYTES, Prepared

_FEW = re.compile("[0-9]{1,9}")
_NO_TAIL = memoryview(b"")


class InferHead(msgspec.Struct, frozen=True):
    """What the head of an infer request says: of the answer, by which ``encoding`` it goes."""

    path: str
    target: Target
    json_length: str | None
    encoding: str
    json_bytes: int
    """What ``json_length`` says, if so many may be kept; or else 0."""

    def with_signature(self, name: str | None) -> Target:
        """The target, and its signature."""
        return self.target if name is None else msgspec.structs.replace(self.target, signature=name)


class RequestReader:
    """Reads bodies, the usual ones in short ways of their own. Threads may share it."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._binary = PreparedBinary()
        self._lists = PreparedLists()
        limits = host.config.limits
        counts = limits.max_json_bytes, limits.max_lists, limits.max_values
        self._most_bytes = min(SMALLEST_BYTES - 1, *counts)

    def prepared(self, head: InferHead, body: bytes) -> Prepared[Response] | None:
        """What a request that came before says, but for its numbers; None: it did not.

        ``body`` is as it came, and not compressed.
        """
        if head.json_length is not None:
            text = body[: head.json_bytes]
            return self._binary.of(head.path, text) if len(text) == head.json_bytes else None
        return self._lists.of(head.path, body) if len(body) <= self._most_bytes else None

    def read(self, head: InferHead, body: bytes) -> tuple[Target, Read]:
        """What a request names, and what holds it to a version; ``body`` was unpacked.

        Raises BadBody, and TooLarge.
        """
        if head.json_length is None:
            return self._read_json(head, body)
        length = _json_length(head.json_length, len(body))
        if length == 0 and body:
            return head.target, partial(raw_input, body)
        return self._read_binary(head, body[:length], memoryview(body)[length:])[:2]

    def read_at_once(self, head: InferHead, body: bytes) -> tuple[Target, Read, bool] | None:
        """The same, if it takes less than a millisecond; else None. And whether it takes longer to
        hold that to a version.

        ``body`` is as it came, and not compressed. Raises BadBody, and TooLarge.
        """
        if len(body) <= LARGE_BODY_BYTES:
            return *self.read(head, body), False
        if head.json_length is None or len(body) > MOST_ARRAY_BYTES:
            return None
        length = _json_length(head.json_length, len(body))
        if length == 0:
            return *self.read(head, body), False
        if length > LARGE_BODY_BYTES:
            return None
        target, read, asked = self._read_binary(head, body[:length], memoryview(body)[length:])
        return target, read, asked.string_bytes > LARGE_BODY_BYTES

    def read_late(
        self, head: InferHead, body: bytes, version: ModelVersion, allowance: Allowance
    ) -> tuple[InferBody, dict[str, Array]]:
        """What a request asks that is prepared, and so names what it always does."""
        return self.read(head, body)[1](version, allowance)

    def _read_binary(
        self, head: InferHead, text: bytes, tail: memoryview
    ) -> tuple[Target, Read, InferBody]:
        asked = self._parsed(text, tail)
        target = head.with_signature(asked.signature)
        self._binary.keep(head.path, text, target, asked)
        return target, held(asked), asked

    def _read_json(self, head: InferHead, body: bytes) -> tuple[Target, Read]:
        usual = usual_body(body, self._host.config.limits)
        if usual is None:
            asked = self._parsed(body, _NO_TAIL)
            return head.with_signature(asked.signature), held(asked)
        asked = usual_infer_body(usual)
        target = head.with_signature(asked.signature)
        self._lists.keep(head.path, body, target, usual)
        return target, partial(self._held, body, usual, asked)

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


def kept_bytes(json_length: str | None) -> int:
    """What a head says that stands before tensors, if so many bytes may be kept; or else 0."""
    if json_length is None or not _FEW.fullmatch(json_length):
        return 0
    found = int(json_length)
    return found if found <= MOST_TEXT_BYTES else 0


def _json_length(text: str, body_bytes: int) -> int:
    """How many bytes of a body are JSON. Raises BadBody."""
    if not text.isascii() or not text.isdecimal():
        raise BadBody(f"Unable to parse {JSON_LENGTH}, got: {text[:40]}")
    if len(text) > 18 or int(text) > body_bytes:
        raise BadBody(
            f"inference header size should be in range (0, {body_bytes}), got: {text[:40]}"
        )
    return int(text)
