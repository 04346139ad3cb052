"""GuardedCodec: a codec whose failures are errors that name its plugin, and the model."""

from __future__ import annotations

from typing import Any

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.codec_answers import checked_bound, checked_document, checked_encoded
from tfaas_core.route import Head
from tfaas_core.routing.unexpected import unexpected
from tfaas_core.tensors import Arrays, Bound

_SAID = ("name", "media_types", "answer_types", "body_schema")


class GuardedCodec(Codec[Any]):
    """Does what ``codec`` does, which the plugin of the module ``plugin`` registered.

    Whatever it raises that is no TfaasError, exits included, and whatever it answers that it must
    not, is logged, and becomes an error of status 500.
    """

    def __init__(self, codec: Codec[Any], plugin: str) -> None:
        # What a codec's class says, this one's objects say.
        said = {name: getattr(codec, name) for name in _SAID}
        vars(self).update(said)
        self._codec = codec
        self._plugin = plugin
        self._answers_others = codec.answers_others

    @property
    def answers_others(self) -> bool:
        return self._answers_others

    def parse(self, body: bytes, head: Head) -> Document:
        try:
            document = checked_document(self._codec.parse(body, head))
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("parse", error, _named(head)) from error
        return document

    def parse_at_once(self, body: bytes, head: Head) -> Document | None:
        try:
            document = self._codec.parse_at_once(body, head)
            return None if document is None else checked_document(document)
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("parse_at_once", error, _named(head)) from error

    def is_heavy(self, document: Document, version: ModelVersion) -> bool:
        try:
            return bool(self._codec.is_heavy(document, version))
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("is_heavy", error, version.name) from error

    def bind(self, document: Document, version: ModelVersion) -> Bound:
        try:
            bound = checked_bound(self._codec.bind(document, version))
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("bind", error, version.name) from error
        return bound

    def encode(
        self, outputs: Arrays, bound: Bound, document: Document, version: ModelVersion
    ) -> Encoded:
        try:
            encoded = self._codec.encode(outputs, bound, document, version)
            return checked_encoded(encoded, "encode")
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("encode", error, version.name) from error

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        try:
            encoded = self._codec.encode_other(outputs, bound, version)
            return checked_encoded(encoded, "encode_other")
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("encode_other", error, version.name) from error

    def _failed(self, step: str, error: BaseException, model: str) -> TfaasError:
        return unexpected(f"{step} of the codec {self.name!r}", error, self._plugin, model)


def _named(head: Head) -> str:
    return head.path_fields.get("name", "")[:140]
