"""What the folder of a SavedModel may hold: what TensorFlow and Keras write there, nothing else."""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NoReturn

from tfaas_backends.runtimes.saved_model.folder import BINARY
from tfaas_core.errors import CannotServe, StorageUnavailable
from tfaas_core.uploads.companions import COMPANIONS

_FILES = {BINARY, "keras_metadata.pb", "fingerprint.pb", "tfhub_module.pb", *COMPANIONS}
_FOLDERS = {
    "variables": re.compile(r"variables\.(index|data-\d{5}-of-\d{5})|checkpoint"),
    "debug": re.compile(r"saved_model_debug_info\.pb"),
    "assets": re.compile(r".*", re.DOTALL),
    "assets.extra": re.compile(r".*", re.DOTALL),
}
"""The folders, and the paths of the files in each."""

_LIBRARY = re.compile(r".*\.(so(\.\d+)*|dll|dylib|pyd)", re.DOTALL | re.IGNORECASE)
_ELF = b"\x7fELF"


def check_layout(folder: Path) -> None:
    """Raises CannotServe if the folder holds a link, a library, or what no SavedModel has."""
    try:
        for file in _files(folder):
            _check(file, file.relative_to(folder).as_posix())
    except OSError as error:
        raise StorageUnavailable(f"the model's folder cannot be read: {error.strerror}") from None


def _files(folder: Path) -> Iterator[Path]:
    for place, folders, files in os.walk(folder, onerror=_raise):
        yield from (Path(place) / name for name in files)
        yield from (path for name in folders if (path := Path(place) / name).is_symlink())


def _raise(error: OSError) -> NoReturn:
    """What is not seen would not be checked."""
    raise error


def _check(file: Path, name: str) -> None:
    if file.is_symlink() or not file.is_file():
        raise _refused(name, "which is neither a regular file nor a folder")
    with file.open("rb") as opened:
        if _LIBRARY.fullmatch(name) or opened.read(len(_ELF)) == _ELF:
            raise _refused(name, "a library of code, which no model may bring along")
    top, _, below = name.partition("/")
    if name not in _FILES and not (below and top in _FOLDERS and _FOLDERS[top].fullmatch(below)):
        raise _refused(name, "which is no file that TensorFlow or Keras writes there: leave it out")


def _refused(name: str, what: str) -> CannotServe:
    return CannotServe(f"the SavedModel's folder holds {name[:200]!r}, {what}", field="model")
