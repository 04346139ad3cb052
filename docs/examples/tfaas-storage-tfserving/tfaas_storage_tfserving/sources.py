"""Sources: which models there are, by the folders and the configuration of the other server."""

from __future__ import annotations

import logging
import os
import threading
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.errors import ConfigError, StorageUnavailable
from tfaas_core.models.model import NAME_RULE, is_name
from tfaas_core.tools.served.model_configs import (
    ModelConfig,
    VersionPolicy,
    read_config_pbtxt,
    read_models_config,
)
from tfaas_storage_tfserving.files import artifact_in, folder_of, numbers

_PLATFORMS = ("", "tensorflow", "tensorflow_savedmodel", "tensorflow_graphdef")

_log = logging.getLogger(__name__)


class Source(msgspec.Struct, frozen=True):
    """A model: the folder ``base`` has its versions, each in a folder called by its number.

    ``params`` are those of its graphs.
    """

    name: str
    base: Path
    policy: VersionPolicy = VersionPolicy()
    labels: dict[str, int] = {}
    params: dict[str, Any] = {}


class Told:
    """Logs each thing once, until it is another thing."""

    def __init__(self) -> None:
        self._told: dict[str, str] = {}

    def warn(self, what: str, message: str) -> None:
        """Logs ``message`` about ``what``, unless it was logged of that last."""
        if self._told.get(what) != message:
            self._told[what] = message
            _log.warning("%s", message)

    def forget(self, what: str) -> None:
        """The thing is as it should be again."""
        self._told.pop(what, None)


class Sources:
    """Finds the models in ``where``, which is what the key ``key`` says it is. Blocks.

    A configuration that could be read is kept in the file ``kept``, for processes that start when
    it is broken.
    """

    def __init__(self, key: str, where: Path, kept: Path, name: str = "") -> None:
        self.key = key
        self.where = where
        self._kept = kept
        self._name = name
        self._told = Told()
        self._looking = threading.Lock()
        self._read: dict[Path, tuple[tuple[int, ...], Any]] = {}

    def check(self) -> None:
        """Raises ConfigError if there is nothing, or if the configuration cannot be read."""
        try:
            if self.key == "model_config_file":
                read_models_config(self.where)
            else:
                os.listdir(self.where)
        except OSError as error:
            why = f"{str(self.where)!r} cannot be used: {error.strerror}"
            raise ConfigError(f"{why} - at `$.storage.{self.key}`") from None
        except ValueError as error:
            raise ConfigError(f"{error} - at `$.storage.{self.key}`") from None

    def hints(self) -> list[str]:
        """What may be meant otherwise than it is written, a sentence each. Raises OSError."""
        if self.key != "model_base_path" or self._name:
            return []
        if not any(artifact_in(folder_of(self.where, n)) for n in numbers(self.where)):
            return []
        versions = f"{self.where} holds versions of one model"
        return [f"{versions}: name it by storage.model_name - at `$.storage.model_base_path`"]

    def all(self) -> list[Source]:
        """The models, sorted by name.

        What of one model is wrong is logged, and the others are not touched. Raises OSError if
        ``where`` is away, and StorageUnavailable if it is a file that was always broken.
        """
        with self._looking:
            found = [source for source in self._found() if self._is_readable(source)]
        return sorted({source.name: source for source in found}.values(), key=lambda s: s.name)

    def _found(self) -> list[Source]:
        if self.key == "model_config_file":
            return self._configured()
        if self._name:
            return [Source(self._name, self.where)]
        return self._folders()

    def _folders(self) -> list[Source]:
        with os.scandir(self.where) as entries:
            folders = sorted(e.name for e in entries if not e.name.startswith(".") and e.is_dir())
        named = [name for name in folders if self._is_name(name)]
        if self.key == "model_base_path":
            return [Source(name, self.where / name) for name in named]
        return [source for name in named if (source := self._of_triton(name)) is not None]

    def _of_triton(self, name: str) -> Source | None:
        base = self.where / name
        try:
            config = self._known(base / "config.pbtxt", read_config_pbtxt)
        except FileNotFoundError:
            config = ModelConfig()
        except (OSError, ValueError) as error:
            self._told.warn(name, f"model {name!r} is not served: {error}")
            return None
        if not self._is_served(name, config):
            return None
        nodes = {"inputNode": list(config.inputs), "outputNode": list(config.outputs)}
        params = {key: names for key, names in nodes.items() if names}
        return Source(name, base, config.policy, params=params)

    def _configured(self) -> list[Source]:
        try:
            configs = self._known(self.where, self._read_and_kept)
        except ValueError as error:
            configs = self._as_kept(error)
        return [
            Source(c.name, Path(c.base), c.policy, self._labels(c))
            for c in configs
            if self._is_name(c.name) and self._is_served(c.name, c) and self._is_local(c)
        ]

    def _read_and_kept(self, file: Path) -> list[ModelConfig]:
        configs = read_models_config(file)
        with suppress(OSError):
            new = self._kept.with_suffix(f".{os.getpid()}")
            new.write_bytes(msgspec.json.encode(configs))
            os.replace(new, self._kept)
        return configs

    def _as_kept(self, error: ValueError) -> list[ModelConfig]:
        try:
            configs = msgspec.json.decode(self._kept.read_bytes(), type=list[ModelConfig])
        except (OSError, msgspec.DecodeError):
            told = "the list of models cannot be read; the server's log says why"
            raise StorageUnavailable(str(error), told) from None
        self._told.warn(str(self.where), f"{error}; it counts as it was before")
        return configs

    def _known(self, file: Path, read: Callable[[Path], Any]) -> Any:
        """What is in a file, read again if it was changed; as before, if it is broken now."""
        status = os.stat(file)
        state = (status.st_mtime_ns, status.st_size, status.st_ino)
        seen, value = self._read.get(file, ((), None))
        if seen == state:
            return value
        try:
            value = read(file)
        except ValueError as error:
            if value is None:
                raise
            self._told.warn(str(file), f"{error}; it counts as it was before")
        else:
            self._told.forget(str(file))
        self._read[file] = (state, value)
        return value

    # What is passed over.

    def _is_name(self, name: str) -> bool:
        if not is_name(name):
            self._told.warn(name, f"{name!r} is not served: a model's name is {NAME_RULE}")
        return is_name(name)

    def _is_served(self, name: str, config: ModelConfig) -> bool:
        if config.platform in _PLATFORMS:
            return True
        what = f"its platform is {config.platform!r}, expected one of TensorFlow"
        self._told.warn(name, f"model {name!r} is not served: {what}")
        return False

    def _is_local(self, config: ModelConfig) -> bool:
        if config.base.startswith("/"):
            return True
        what = f"its base_path is {config.base!r}, expected an absolute path on this machine"
        self._told.warn(config.name, f"model {config.name!r} is not served: {what}")
        return False

    def _is_readable(self, source: Source) -> bool:
        if os.access(source.base, os.R_OK | os.X_OK):
            self._told.forget(str(source.base))
            return True
        what = f"its folder {source.base} is missing, or cannot be read"
        self._told.warn(str(source.base), f"model {source.name!r} is not served: {what}")
        return False

    def _labels(self, config: ModelConfig) -> dict[str, int]:
        for label in config.labels:
            if not is_name(label):
                what = f"label {label!r} of model {config.name!r}"
                self._told.warn(what, f"{what} is left out: a label is {NAME_RULE}")
        return {label: number for label, number in config.labels.items() if is_name(label)}
