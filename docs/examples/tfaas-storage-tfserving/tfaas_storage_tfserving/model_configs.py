"""``models.config`` of TensorFlow Serving and ``config.pbtxt`` of Triton: the fields that count."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import msgspec
from google.protobuf import descriptor_pb2, descriptor_pool, message_factory, text_format

_PACKAGE = "tfaas.serving"
_MESSAGES = {
    "Latest": ["uint32 num_versions"],
    "All": [],
    "Specific": ["int64* versions"],
    "Policy": ["Latest latest", "All all", "Specific specific"],
    "Label": ["string key", "int64 value"],
    "Model": [
        *("string name", "string base_path", "string model_platform"),
        *("Policy model_version_policy", "Label* version_labels"),
    ],
    "ModelList": ["Model* config"],
    "ModelServer": ["ModelList model_config_list"],
    "Node": ["string name"],
    "TritonModel": [
        *("string name", "string platform", "string backend"),
        *("Policy version_policy", "Node* input", "Node* output"),
    ],
}
"""Messages and their fields. A map has the text of a repeated message with ``key`` and ``value``,
and a oneof that of its fields; numbers do not occur in text."""


class VersionPolicy(msgspec.Struct, frozen=True):
    """Which versions are served: the newest ``latest``; or if that is 0, ``specific`` or all."""

    latest: int = 1
    specific: tuple[int, ...] | None = None

    def takes(self, number: int) -> bool:
        """Whether version ``number`` is one of those, if there are few enough newer ones."""
        return self.specific is None or number in self.specific


class ModelConfig(msgspec.Struct, frozen=True):
    """What a configuration says of one model. ``base`` is empty if it does not say where it is."""

    name: str = ""
    base: str = ""
    platform: str = ""
    policy: VersionPolicy = VersionPolicy()
    labels: dict[str, int] = {}
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()


def read_models_config(file: Path) -> list[ModelConfig]:
    """The models of a ``models.config``. Raises OSError, and ValueError if it is none."""
    server = _read("ModelServer", file)
    return [
        ModelConfig(
            name=model.name,
            base=model.base_path,
            platform=model.model_platform,
            policy=_policy(model.model_version_policy),
            labels={label.key: label.value for label in model.version_labels},
        )
        for model in server.model_config_list.config
    ]


def read_config_pbtxt(file: Path) -> ModelConfig:
    """The model of a ``config.pbtxt``. Raises OSError, and ValueError if it is none."""
    model = _read("TritonModel", file)
    return ModelConfig(
        name=model.name,
        platform=model.platform or model.backend,
        policy=_policy(model.version_policy),
        inputs=tuple(node.name for node in model.input),
        outputs=tuple(node.name for node in model.output),
    )


def _policy(policy: Any) -> VersionPolicy:
    if policy.HasField("all"):
        return VersionPolicy(0)
    if policy.HasField("specific"):
        return VersionPolicy(0, tuple(policy.specific.versions))
    return VersionPolicy(max(policy.latest.num_versions, 1))


def _read(name: str, file: Path) -> Any:
    message = _CLASSES[name]()
    try:
        text = file.read_text("utf-8")
        # The other servers' files have many more fields than count here.
        return text_format.Parse(text, message, allow_unknown_field=True)
    except (text_format.ParseError, UnicodeDecodeError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} cannot be read: {reason}") from None


def _made(messages: Mapping[str, Iterable[str]]) -> dict[str, Any]:
    file = descriptor_pb2.FileDescriptorProto(
        name="tfaas_serving.proto", package=_PACKAGE, syntax="proto2"
    )
    for name, fields in messages.items():
        message = file.message_type.add(name=name)
        for number, field in enumerate(fields, 1):
            _add_field(message, number, *field.split())
    pool = descriptor_pool.DescriptorPool()  # of our own: TensorFlow has files in the common one
    pool.Add(file)
    return {
        name: message_factory.GetMessageClass(pool.FindMessageTypeByName(f"{_PACKAGE}.{name}"))
        for name in messages
    }


def _add_field(message: Any, number: int, kind: str, name: str) -> None:
    field = message.field.add(name=name, number=number)
    field.label = field.LABEL_REPEATED if kind.endswith("*") else field.LABEL_OPTIONAL
    kind = kind.rstrip("*")
    if kind in _MESSAGES:
        field.type, field.type_name = field.TYPE_MESSAGE, f".{_PACKAGE}.{kind}"
    else:
        field.type = getattr(field, f"TYPE_{kind.upper()}")


_CLASSES = _made(_MESSAGES)
