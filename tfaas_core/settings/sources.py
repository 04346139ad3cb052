"""Sources: the TOML file, the environment and ``--set``, as raw values."""

from __future__ import annotations

import json
import re
import tomllib
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.errors import ConfigError

# Kubernetes sets these in every pod next to a service that is called "tfaas".
_KUBERNETES = re.compile(r"TFAAS_(\w+_)?(SERVICE_(HOST|PORT(_\w+)?)|PORT_\d+_\w+)")
_VARIABLE = "environment variable "
CLIENT_VARIABLES = frozenset({"TFAAS_CA", "TFAAS_CERT", "TFAAS_TOKEN", "TFAAS_URL"})
"""Those of the client commands."""


class Change(msgspec.Struct, frozen=True):
    """``source``, as errors name it, gives the key at the end of ``keys`` this ``value``."""

    source: str
    keys: tuple[str, ...]
    value: Any

    @property
    def path(self) -> str:
        """The key as errors name it, like ``$.server.port``."""
        return ".".join(("$", *self.keys))

    def make(self, raw: dict[str, Any]) -> None:
        """Puts the value into the tables of ``raw``."""
        table = raw
        for key in self.keys[:-1]:
            if not isinstance(table.get(key), dict):
                table[key] = {}
            table = table[key]
        table[self.keys[-1]] = self.value


def read_file(path: Path) -> dict[str, Any]:
    """The tables of a TOML file. Raises ConfigError."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"there is no configuration file {path}") from None
    except OSError as error:
        raise ConfigError(f"{path} cannot be read: {error.strerror}") from None
    except (tomllib.TOMLDecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ConfigError(f"{path} is not TOML: {_as_json(path) or error}") from None


def changes(
    raw: Mapping[str, Any], environ: Mapping[str, str], overrides: Sequence[str]
) -> list[Change]:
    """What the environment and ``overrides`` change in ``raw``, in order. Raises ConfigError.

    A variable that holds a secret, because some key says so, changes nothing.
    """
    all_changes = [*_from_environment(environ), *_from_overrides(overrides)]
    values = [raw, *(change.value for change in all_changes)]
    secrets = {f"{_VARIABLE}{name}" for value in values for name in secret_variables(value)}
    return [change for change in all_changes if change.source not in secrets]


def secret_variables(value: Any) -> Iterator[str]:
    """The variables that hold secrets of a raw table: those of each ``{ env = "NAME" }``."""
    for key, inner in value.items() if isinstance(value, Mapping) else ():
        if key == "env" and isinstance(inner, str):
            yield inner
        yield from secret_variables(inner)


def _as_json(path: Path) -> str:
    """What to do with the configuration of an original TFaaS server; empty: it is none."""
    try:
        is_json = isinstance(json.loads(path.read_bytes()), dict)
    except (ValueError, RecursionError):
        is_json = False
    return f"it is JSON; `tfaas migrate {path}` prints the TOML that it becomes" if is_json else ""


def _from_environment(environ: Mapping[str, str]) -> Iterator[Change]:
    for name in sorted(environ):
        if name.startswith("TFAAS_") and not _is_foreign(name, environ[name]):
            keys = name.removeprefix("TFAAS_").lower().split("__")
            yield Change(f"{_VARIABLE}{name}", tuple(keys), _value(environ[name]))


def _is_foreign(name: str, value: str) -> bool:
    if name in CLIENT_VARIABLES:
        return True
    of_a_service = _KUBERNETES.fullmatch(name) or re.match(r"(tcp|udp|sctp)://", value)
    return "__" not in name and of_a_service is not None


def _from_overrides(overrides: Sequence[str]) -> Iterator[Change]:
    for override in overrides:
        key, equals, text = override.partition("=")
        if not equals:
            raise ConfigError(f"--set {override}: write it as key=value, like server.port=9000")
        yield Change(f"--set {override}", tuple(key.strip().split(".")), _value(text))


def _value(text: str) -> Any:
    try:
        parsed = tomllib.loads(f"value = {text}")
    except (tomllib.TOMLDecodeError, RecursionError):
        return text
    return parsed["value"] if len(parsed) == 1 else text
