"""Sources: which models another server serves, by its folders and its configuration."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.errors import ConfigError
from tfaas_core.tools.served.model_configs import (
    ModelConfig,
    VersionPolicy,
    read_config_pbtxt,
    read_models_config,
)

_PLATFORMS = ("", "tensorflow", "tensorflow_savedmodel", "tensorflow_graphdef")
_CONFIG = "config.pbtxt"
_LOST_AND_FOUND = "lost+found"
_ALL = VersionPolicy(0)


class ServedModel(msgspec.Struct, frozen=True):
    """A model: the folder ``base`` has its versions, each in a folder called by its number.

    ``file_name`` is that of each version's model, and ``params`` are for it if it is a graph.
    ``labels`` name versions, and ``label_files`` lie in ``base``. ``refusal``: a clause that says
    why it cannot be served here; empty if nothing is known to be in its way.
    """

    name: str
    base: Path
    policy: VersionPolicy = _ALL
    labels: dict[str, int] = {}
    params: dict[str, Any] = {}
    file_name: str = ""
    label_files: tuple[Path, ...] = ()
    refusal: str = ""


def served_models(place: Path) -> list[ServedModel]:
    """The models of a ``models.config``, of a base path or of a model repository, sorted by name.

    If no configuration says which versions are served, all are. Two of one name are both refused.
    Blocks. Raises ConfigError if ``place`` cannot be read, or is none of these.
    """
    try:
        found = list(_in_folder(place) if place.is_dir() else _configured(place))
    except OSError as error:
        raise ConfigError(f"{error.filename} cannot be read: {error.strerror}") from None
    except ValueError as error:
        raise ConfigError(str(error)) from None
    return sorted(found, key=lambda model: model.name)


def _configured(file: Path) -> Iterator[ServedModel]:
    for config in read_models_config(file):
        refusal = _wrong_platform(config)
        if not config.base.startswith("/") or "\0" in config.base:
            refusal = f"its base_path is {config.base!r}, expected an absolute path of this machine"
        yield ServedModel(
            config.name, Path(config.base), config.policy, config.labels, refusal=refusal
        )


def _in_folder(place: Path) -> Iterator[ServedModel]:
    names = [name for name in sorted(os.listdir(place)) if (place / name).is_dir()]
    versions = [name for name in names if name.isascii() and name.isdigit()]
    is_model = versions and not any(os.path.exists(place / name / _CONFIG) for name in versions)
    if is_model or (place / _CONFIG).is_file():
        yield _of_folder(place.resolve())
        return
    for name in names:
        if not name.startswith(".") and name != _LOST_AND_FOUND:
            yield _of_folder(place / name)


def _of_folder(base: Path) -> ServedModel:
    """A folder with versions and perhaps a ``config.pbtxt``."""
    try:
        config = read_config_pbtxt(base / _CONFIG)
    except FileNotFoundError:
        return ServedModel(base.name, base)
    except OSError as error:
        why = f"{base / _CONFIG} cannot be read: {error.strerror}"
        return ServedModel(base.name, base, refusal=why)
    except ValueError as error:
        return ServedModel(base.name, base, refusal=str(error))
    return ServedModel(
        base.name,
        base,
        config.policy,
        params=_params(config),
        file_name=config.file_name,
        label_files=tuple(base / name for name in config.label_files),
        refusal=_wrong_platform(config) or _wrong_file(config),
    )


def _params(config: ModelConfig) -> dict[str, Any]:
    """What a graph has to be told."""
    nodes = {"inputNode": list(config.inputs), "outputNode": list(config.outputs)}
    params: dict[str, Any] = {key: names for key, names in nodes.items() if names}
    return params | ({"batch": {"axis": "free"}} if config.has_rows else {})


def _wrong_platform(config: ModelConfig) -> str:
    if config.platform in _PLATFORMS:
        return ""
    return f"its platform is {config.platform[:80]!r}, and only models of TensorFlow are taken"


def _wrong_file(config: ModelConfig) -> str:
    for name in (config.file_name, *config.label_files):
        if name and (Path(name).name != name or name == ".." or "\0" in name):
            return f"its {_CONFIG} names the file {name[:80]!r}, not one beside it"
    return ""
