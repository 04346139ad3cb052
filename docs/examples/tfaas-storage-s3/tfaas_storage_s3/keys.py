"""Keys: what the objects of a bucket are called.

::

    state/models/NAME.json              which versions a model has, and its pointers: a ModelRecord
    state/default.json                  the model that was chosen as the default one
    versions/NAME/TOKEN/version.json    one version: a VersionRecord
    versions/NAME/TOKEN/FILE.PIECE      4 MiB of one of its files, both counted from 0
    claims/NAME.json                    who changes the name right now
    clock                               put to learn what time it is there

A TOKEN is of one upload and never used again. What is below ``state`` changes by one conditional
write, and all else is written before, or removed after that.
"""

from __future__ import annotations

import secrets

STATE = "state"
MODELS = "state/models"
DEFAULT = "state/default.json"
VERSIONS = "versions"
CLAIMS = "claims"
CLOCK = "clock"

_JSON = ".json"


def new_token() -> str:
    """What nobody else has made, nor will."""
    return secrets.token_hex(16)


def of_model(name: str) -> str:
    return f"{MODELS}/{name}{_JSON}"


def of_claim(name: str) -> str:
    return f"{CLAIMS}/{name}{_JSON}"


def folder_of(name: str, token: str) -> str:
    return f"{VERSIONS}/{name}/{token}"


def of_version(name: str, token: str) -> str:
    return f"{folder_of(name, token)}/version{_JSON}"


def of_piece(name: str, token: str, file: int, piece: int) -> str:
    return f"{folder_of(name, token)}/{file}.{piece}"


def name_in(key: str) -> str:
    """The name that a key of a model's record, or of a claim, is for."""
    return key.rpartition("/")[2].removesuffix(_JSON)


def upload_in(key: str) -> tuple[str, str]:
    """The name and the token of a key below ``versions``; of any other key, what is no name."""
    parts = key.split("/")
    return (parts[1], parts[2]) if len(parts) == 4 else ("", "")
