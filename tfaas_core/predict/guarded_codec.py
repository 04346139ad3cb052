"""GuardedCodec: a codec whose failures are errors that name its plugin, and the model."""

from __future__ import annotations

import logging
from typing import Any

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.errors import SEE_LOG, TfaasError, plugin_failed
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Arrays, Bound

_log = logging.getLogger("tfaas.predict")


class GuardedCodec(Codec[Any]):
    """Does what ``codec`` does, which the plugin of the module ``plugin`` registered.

    Whatever it raises that is no TfaasError, exits included, and whatever it answers that it must
    not, is logged, and becomes an error of status 500.
    """

    def __init__(self, codec: Codec[Any], plugin: str) -> None:
        # What a codec's class says, this one's objects say.
        said = {name: getattr(codec, name) for name in ("name", "media_types", "answer_types")}
        vars(self).update(said)
        self._codec = codec
        self._plugin = plugin
        self._answers_others = codec.answers_others

    @property
    def answers_others(self) -> bool:
        return self._answers_others

    def parse(self, body: bytes, head: Head) -> Document:
        try:
            document: Document = self._codec.parse(body, head)
            if not isinstance(document, Document):
                raise TypeError(f"parse returned {type(document).__name__}, not a Document")
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("parse", error) from error
        return document

    def is_heavy(self, document: Document) -> bool:
        try:
            return bool(self._codec.is_heavy(document))
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("is_heavy", error) from error

    def bind(self, document: Document, version: ModelVersion) -> Bound:
        try:
            bound = self._codec.bind(document, version)
            if not isinstance(bound, Bound):
                raise TypeError(f"bind returned {type(bound).__name__}, not a Bound")
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("bind", error, version) from error
        return bound

    def encode(
        self, outputs: Arrays, bound: Bound, document: Document, version: ModelVersion
    ) -> Encoded:
        try:
            return _checked(self._codec.encode(outputs, bound, document, version))
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("encode", error, version) from error

    def encode_other(self, outputs: Arrays, bound: Bound, version: ModelVersion) -> Encoded:
        try:
            return _checked(self._codec.encode_other(outputs, bound, version))
        except TfaasError:
            raise
        except BaseException as error:
            raise self._failed("encode_other", error, version) from error

    def _failed(
        self, step: str, error: BaseException, version: ModelVersion | None = None
    ) -> TfaasError:
        model = "" if version is None else version.name
        doing = f"{step} of the codec {self.name!r}"
        told = plugin_failed(self._plugin, doing, error, model)
        _log.error("%s", told.message.removesuffix(SEE_LOG), exc_info=error)
        return told


def _checked(encoded: Encoded) -> Encoded:
    if not isinstance(encoded, Encoded) or not isinstance(encoded.body, bytes):
        raise TypeError(f"returned {encoded!r:.100}, not an Encoded of bytes")
    return encoded
