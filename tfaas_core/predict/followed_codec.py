"""FollowedCodec: a codec whose calls are steps of a request that somebody follows."""

from __future__ import annotations

import time
from collections.abc import Callable
from typing import Any, TypeVar

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.steps import Step
from tfaas_core.tensors import Arrays, Bound

T = TypeVar("T")

_SAID = ("name", "media_types", "answer_types", "body_schema")


class FollowedCodec(Codec[Any]):
    """Does what ``codec`` does, for one request, and adds each call to ``steps``."""

    def __init__(self, codec: Codec[Any], steps: list[Step]) -> None:
        # What a codec's class says, this one's objects say.
        said = {name: getattr(codec, name) for name in _SAID}
        vars(self).update(said)
        self._codec = codec
        self._steps = steps

    @property
    def answers_others(self) -> bool:
        return self._codec.answers_others

    def parse(self, body: bytes, head: Head) -> Document:
        document: Document = self._timed("parse", self._codec.parse, body, head)
        return document

    def parse_at_once(self, body: bytes, head: Head) -> Document | None:
        begin_s = time.monotonic()
        document: Document | None = self._codec.parse_at_once(body, head)
        if document is not None:
            self._steps.append(Step("parse", begin_s, time.monotonic()))
        return document

    def is_heavy(self, document: Document, version: ModelVersion) -> bool:
        return self._codec.is_heavy(document, version)

    def bind(self, document: Document, version: ModelVersion) -> Bound:
        return self._timed("bind", self._codec.bind, document, version)

    def encode(
        self, outputs: Arrays, bound: Bound, document: Document, version: ModelVersion
    ) -> Encoded:
        return self._timed("encode", self._codec.encode, outputs, bound, document, version)

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        return self._timed("encode", self._codec.encode_other, outputs, bound, version)

    def _timed(self, name: str, work: Callable[..., T], *arguments: Any) -> T:
        begin_s = time.monotonic()
        try:
            return work(*arguments)
        finally:
            self._steps.append(Step(name, begin_s, time.monotonic()))
