"""The calls that tell of models: their metadata, and the status of their versions."""

from __future__ import annotations

from typing import Any

from google.protobuf.json_format import ParseDict  # type: ignore[import-untyped]
from google.protobuf.message import DecodeError  # type: ignore[import-untyped]

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.target import Target
from tfaas_core.route import admit
from tfaas_core.service import Call
from tfaas_plugins.protocols.private_pool import message_class
from tfaas_plugins.protocols.tfserving.metadata import metadata_document, status_document
from tfaas_plugins.protocols.tfserving.models import ServingModels
from tfaas_plugins.protocols.tfserving.sent import MOST_HEAD_BYTES
from tfaas_plugins.protocols.tfserving.specs import spec_of, target_of

_SIGNATURES = "signature_def"


class ModelCalls:
    """Those of one Host."""

    def __init__(self, host: Host) -> None:
        self._host = host
        self._models = ServingModels(host)

    async def get_model_metadata(self, call: Call) -> bytes:
        """``GetModelMetadata``: the signatures that the model's file declares."""
        asked = read_message("GetModelMetadataRequest", call.body)
        target = _target(asked)
        if not asked.metadata_field:
            raise BadBody("GetModelMetadataRequest must specify at least one metadata_field")
        for name in asked.metadata_field:
            if name != _SIGNATURES:
                raise BadBody(f"Metadata field {name[:140]} is not supported")
        await admit(call, target.model)
        version = self._models.version(target)
        return await self._models.in_thread(_metadata, version)

    async def get_model_status(self, call: Call) -> bytes:
        """``GetModelStatus``: of each version, or of the one that is named."""
        target = _target(read_message("GetModelStatusRequest", call.body))
        await admit(call, target.model)
        versions = self._models.versions(target)
        document = status_document(versions, not self._models.is_unloaded(target.model))
        return _written("GetModelStatusResponse", document)


def read_message(name: str, body: bytes, most_bytes: int = MOST_HEAD_BYTES) -> Any:
    """A message of ``tensorflow.serving``. Raises BadBody for none, and TooLarge."""
    if len(body) > most_bytes:
        raise TooLarge(f"a {name} has {most_bytes} bytes at most", expected=most_bytes)
    try:
        return message_class(f"tensorflow.serving.{name}").FromString(body)
    except DecodeError:
        raise BadBody(f"the message is no {name}") from None


def _target(asked: Any) -> Target:
    if not asked.HasField("model_spec"):
        raise BadBody("Missing ModelSpec")
    return target_of(asked.model_spec)


def _metadata(version: ModelVersion) -> bytes:
    document = metadata_document(version)["metadata"][_SIGNATURES]
    # What a file declares may have fields that are not served.
    signatures = ParseDict(
        document, message_class("tensorflow.serving.SignatureDefMap")(), ignore_unknown_fields=True
    )
    told = message_class("tensorflow.serving.GetModelMetadataResponse")(model_spec=spec_of(version))
    told.metadata[_SIGNATURES].Pack(signatures)
    return bytes(told.SerializeToString())


def _written(name: str, document: dict[str, Any]) -> bytes:
    message = ParseDict(document, message_class(f"tensorflow.serving.{name}")())
    return bytes(message.SerializeToString())
