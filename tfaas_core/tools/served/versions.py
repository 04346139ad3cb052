"""Versions of a served model: which folders they are, and which file or folder is the model."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from tfaas_core.models.versions import MAX_NUMBER
from tfaas_core.tools.served.model_configs import VersionPolicy

GRAPH = "model.graphdef"
FOLDER = "model.savedmodel"
_SAVED_MODEL = ("saved_model.pb", "saved_model.pbtxt")


class FoundVersion(msgspec.Struct, frozen=True):
    """A version that is served: its number, and its folder."""

    number: int
    folder: Path


class FoundVersions(msgspec.Struct, frozen=True):
    """The versions that a policy takes, ascending.

    ``refused``: a clause for each that it takes and that cannot be a version here; ``others`` are
    how many it does not take.
    """

    taken: tuple[FoundVersion, ...]
    refused: tuple[str, ...]
    others: int


def found_versions(base: Path, policy: VersionPolicy) -> FoundVersions:
    """The versions in the folder of a model. Raises OSError."""
    found: dict[int, list[Path]] = {}
    for entry in sorted(os.listdir(base)):
        if entry.isascii() and entry.isdigit() and (base / entry).is_dir():
            found.setdefault(int(entry), []).append(base / entry)
    numbers = sorted((number for number in found if policy.takes(number)), reverse=True)
    numbers = numbers[: policy.latest] if policy.latest else numbers
    taken, refused = [], []
    for number in reversed(numbers):
        first, *more = found[number]
        if not 0 < number <= MAX_NUMBER:
            told = f"version {first.name[:40]}"
            refused.append(f"{told}: a version's number is from 1 to {MAX_NUMBER} here")
        elif more:
            both = f"{first.name} and {more[0].name[:40]}"
            refused.append(f"version {number}: its folder is both {both}")
        else:
            taken.append(FoundVersion(number, first))
    if policy.specific is not None:
        missing = sorted(set(policy.specific) - found.keys())
        refused += [f"version {number}: {base / str(number)} is missing" for number in missing]
    return FoundVersions(tuple(taken), tuple(refused), len(found) - len(numbers))


def model_in(version: Path, file_name: str = "") -> Path | None:
    """The model's file or folder in that of a version; None if there is none.

    ``file_name`` is what it is called there; empty: as TensorFlow Serving or Triton does.
    """
    if file_name:
        named = version / file_name
        return named if is_saved_model(named) or named.is_file() else None
    for folder in (version, version / FOLDER):
        if is_saved_model(folder):
            return folder
    return version / GRAPH if (version / GRAPH).is_file() else None


def is_saved_model(folder: Path) -> bool:
    """Whether a SavedModel seems to be right in ``folder``."""
    return any((folder / name).is_file() for name in _SAVED_MODEL)
