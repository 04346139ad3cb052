"""Companions: the files beside a model: its params, its labels and its examples."""

from __future__ import annotations

import csv
import io
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.errors import BadBody, TooLarge
from tfaas_core.models.examples import parse_warmup
from tfaas_core.models.params import Params

PARAMS = "params.json"
LABELS = ("labels.txt", "labels.csv")
WARMUP_FILE = "warmup.json"

COMPANIONS = frozenset((PARAMS, *LABELS, WARMUP_FILE))
"""The names of files that are no model, whatever a runtime takes them for."""

MAX_TEXT_FILE_BYTES = 1024 * 1024
"""Of params.json and of the labels, which every HTTP worker keeps in memory."""

MAX_WARMUP_BYTES = 4 * 1024 * 1024
"""Of warmup.json, which every HTTP worker keeps in memory."""


class Companions(msgspec.Struct, frozen=True):
    """The files that lie beside a model."""

    params: Path | None
    labels: Path | None
    warmup: Path | None

    @classmethod
    def at(cls, place: Path, folder: Path) -> Companions:
        """Those of a model in ``place``, see ``companion``."""
        return cls(
            companion(place, folder, PARAMS),
            companion(place, folder, *LABELS),
            companion(place, folder, WARMUP_FILE),
        )


def companion(place: Path, folder: Path, *names: str) -> Path | None:
    """The first file of these names in ``place``, or in a folder above it inside ``folder``."""
    places = [place, *(parent for parent in place.parents if parent.is_relative_to(folder))]
    for each in places:
        for name in names:
            if (each / name).is_file():
                return each / name
    return None


def read_params(file: Path) -> Params:
    """Reads a ``params.json``; raises BadBody, DoesNotFit and TooLarge."""
    return Params.parse(_small(file, "params"))


def read_warmup(file: Path) -> dict[str, Any]:
    """Reads a ``warmup.json``; raises BadBody, DoesNotFit and TooLarge."""
    return parse_warmup(_small(file, WARMUP_FILE, MAX_WARMUP_BYTES))


def read_labels(file: Path, name: str) -> tuple[str, ...]:
    """One label a line; of a file whose ``name`` ends in ``.csv``, the first column.

    Raises BadBody and TooLarge.
    """
    try:
        text = _small(file, "labels").decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise BadBody(f"labels is not UTF-8 text: {error}", field="labels") from None
    if not name.lower().endswith(".csv"):
        lines = [line.strip() for line in text.splitlines()]
    else:
        try:
            lines = [row[0].strip() if row else "" for row in csv.reader(io.StringIO(text))]
        except csv.Error as error:
            raise BadBody(f"labels is not CSV: {error}", field="labels") from None
    while lines and not lines[-1]:
        lines.pop()
    return tuple(lines)


def _small(file: Path, part: str, limit: int = MAX_TEXT_FILE_BYTES) -> bytes:
    size_bytes = file.stat().st_size
    if size_bytes > limit:
        raise TooLarge(
            f"{part} has {size_bytes} bytes, {limit} are allowed",
            field=part,
            expected=limit,
            got=size_bytes,
        )
    return file.read_bytes()
