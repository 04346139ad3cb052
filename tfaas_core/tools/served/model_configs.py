"""``models.config`` of TensorFlow Serving and ``config.pbtxt`` of Triton: the fields that count."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec
from google.protobuf import text_format  # type: ignore[import-untyped]

from tfaas_core.files.regular_file import read_regular
from tfaas_core.tools.served.messages import MESSAGES

_MOST_BYTES = 4 << 20


class VersionPolicy(msgspec.Struct, frozen=True):
    """Which versions are served: the newest ``latest``; or if that is 0, ``specific`` or all."""

    latest: int = 1
    specific: tuple[int, ...] | None = None

    def takes(self, number: int) -> bool:
        """Whether version ``number`` is one of those, if there are few enough newer ones."""
        return self.specific is None or number in self.specific


class ModelConfig(msgspec.Struct, frozen=True):
    """What a configuration says of one model. ``base`` is empty if it does not say where it is.

    ``labels`` name versions, ``label_files`` the files with the names of each output's classes.
    ``has_rows``: axis 0 of all inputs and outputs is for rows. ``file_name`` is that of the model
    in the folder of a version; empty for the usual one.
    """

    name: str = ""
    base: str = ""
    platform: str = ""
    policy: VersionPolicy = VersionPolicy()
    labels: dict[str, int] = {}
    inputs: tuple[str, ...] = ()
    outputs: tuple[str, ...] = ()
    label_files: tuple[str, ...] = ()
    has_rows: bool = False
    file_name: str = ""


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
        label_files=tuple(node.label_filename for node in model.output if node.label_filename),
        has_rows=model.max_batch_size > 0,
        file_name=model.default_model_filename,
    )


def _policy(policy: Any) -> VersionPolicy:
    if policy.HasField("all"):
        return VersionPolicy(0)
    if policy.HasField("specific"):
        return VersionPolicy(0, tuple(policy.specific.versions))
    return VersionPolicy(max(policy.latest.num_versions, 1))


def _read(name: str, file: Path) -> Any:
    message = MESSAGES[name]()
    try:
        text = read_regular(file, _MOST_BYTES).decode()
        # The other servers' files have many more fields than count here.
        return text_format.Parse(text, message, allow_unknown_field=True)
    except (text_format.ParseError, ValueError, RecursionError) as error:
        reason = " ".join(str(error).split())
        raise ValueError(f"{file} cannot be read: {reason}") from None
