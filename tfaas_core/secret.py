"""Secret: a value that the configuration holds, or only says where to find."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Annotated, TypeAlias

import msgspec
from msgspec import Meta

from tfaas_core.configured_path import configured_path
from tfaas_core.errors import ConfigError


class SecretPlace(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a secret is: in an environment variable or in a file. One of the two is given."""

    env: str | None = None
    file: str | None = None


Secret: TypeAlias = Annotated[str, Meta(min_length=1)] | SecretPlace
"""A key of a table that takes a text, ``{ env = "NAME" }`` or ``{ file = "path" }``."""


def resolve(secret: Secret, base_dir: Path, key: str) -> str:
    """The text itself, without white space around it if it comes from a file.

    ``key`` is the secret's own, like ``$.storage.url``. Raises ConfigError, which names it and
    never the text.
    """
    if isinstance(secret, str):
        return secret
    match secret:
        case SecretPlace(env=str(name), file=None):
            text, place = os.environ.get(name, ""), f"the environment variable {name}"
        case SecretPlace(env=None, file=str(path)):
            text, place = _read(configured_path(path, base_dir, key), key), f"the file {path}"
        case _:
            raise ConfigError(f"name either `env` or `file` - at `{key}`")
    if not text:
        raise ConfigError(f"{place} is empty or not there - at `{key}`")
    return text


def _read(path: Path, key: str) -> str:
    try:
        return path.read_text(encoding="utf-8").strip()
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or "it is no text file"
        raise ConfigError(f"the file {path} cannot be read: {reason} - at `{key}`") from None
