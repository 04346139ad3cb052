"""Old folder: the models of an original TFaaS server, as its ``modelDir`` holds them.

There is a folder for each model, of the name that clients call it by. It holds the model's file, or
a SavedModel, its labels, and a ``params.json`` that names both.
"""

from __future__ import annotations

import json
import reprlib
from pathlib import Path
from typing import Any

import msgspec

from tfaas_core.errors import BadBody, CannotServe, DoesNotFit
from tfaas_core.files.regular_file import read_regular
from tfaas_core.models.checksum import PREFIX, file_sha256, folder_checksum
from tfaas_core.models.model import check_name
from tfaas_core.uploads.companions import MAX_TEXT_FILE_BYTES, PARAMS
from tfaas_core.uploads.folder import regular_files

_SAVED_MODELS = ("saved_model.pb", "saved_model.pbtxt")
_LABELS = ("labels.txt", "labels.csv")
_LOST_AND_FOUND = "lost+found"


class OldModel(msgspec.Struct, frozen=True):
    """A model of such a folder.

    ``files`` are those of a SavedModel, in ``folder`` or below it, or the one file of a graph.
    ``params`` is what the ``params.json`` says, but for the name: clients call a model by the name
    of its folder, whatever its params say. ``lost``: what the params name and the folder lacks, a
    clause each.
    """

    name: str
    folder: Path
    files: tuple[Path, ...]
    is_folder: bool
    params: dict[str, Any]
    labels: Path | None
    lost: tuple[str, ...] = ()

    def checksum(self) -> str:
        """What a server that stores it will say. Blocks; raises OSError."""
        if not self.is_folder:
            return f"{PREFIX}{file_sha256(self.files[0])}"
        return folder_checksum({self._inside(file): file_sha256(file) for file in self.files})

    def _inside(self, file: Path) -> str:
        return file.relative_to(self.folder).as_posix()


def old_model_folders(folder: Path) -> list[Path]:
    """The folders that look like models, sorted: those in ``folder``, or else itself.

    Raises OSError.
    """
    if _looks_like_a_model(folder):
        return [folder]
    inside = (path for path in folder.iterdir() if path.is_dir())
    models = (path for path in inside if path.name[0] != "." and path.name != _LOST_AND_FOUND)
    return sorted(models, key=lambda path: path.name)


def name_of(folder: Path) -> str:
    """What clients call the model in ``folder``: a link's own name, not its target's."""
    return folder.name if folder.name not in ("", "..") else folder.resolve().name


def is_empty(folder: Path) -> bool:
    """Whether there is no file in it, at any depth. Raises OSError."""
    return not any(path.is_file() for path in folder.rglob("*"))


def read_old_model(folder: Path) -> OldModel:
    """The model in ``folder``; raises BadBody, DoesNotFit, CannotServe and OSError."""
    name = check_name(name_of(folder))
    params = _params(folder / PARAMS)
    labels = _labels(folder, params)
    files, is_folder = _model_files(folder, params, labels)
    sent = {key: value for key, value in params.items() if key.lower() != "name"}
    lost = []
    if (named := _named(params, "labels")) and not (folder / named).is_file():
        lost.append(f"there are no labels {named}, going on")
    if (named := _named(params, "model")) and not is_folder and files[0].name != named:
        lost.append(f"there is no model file {named}, taking {files[0].name}")
    return OldModel(name, folder, files, is_folder, sent, labels, tuple(lost))


def _looks_like_a_model(folder: Path) -> bool:
    names = (PARAMS, *_SAVED_MODELS)
    return any((folder / name).is_file() for name in names) or any(folder.glob("*.pb"))


def _params(file: Path) -> dict[str, Any]:
    if not file.exists():
        return {}
    try:
        document = json.loads(read_regular(file, MAX_TEXT_FILE_BYTES))
    except (ValueError, RecursionError) as error:
        raise BadBody(f"{file} is not JSON: {error}") from None
    if not isinstance(document, dict):
        raise DoesNotFit(f"{file} is not a JSON object")
    return document


def _named(params: dict[str, Any], key: str) -> str:
    """A file name in the params, whose fields Go reads in any case."""
    value = next((value for name, value in params.items() if name.lower() == key), None)
    if value is None or value == "":
        return ""
    # It is joined to the folder's path, and must not lead elsewhere.
    if not isinstance(value, str) or Path(value).name != value:
        raise DoesNotFit(f"{PARAMS} names the file {reprlib.repr(value)}, not a file beside it")
    return value


def _labels(folder: Path, params: dict[str, Any]) -> Path | None:
    named = _named(params, "labels")
    names = (named,) if named else _LABELS
    return next((folder / name for name in names if _has_text(folder / name)), None)


def _has_text(file: Path) -> bool:
    return file.is_file() and file.stat().st_size > 0


def _model_files(
    folder: Path, params: dict[str, Any], labels: Path | None
) -> tuple[tuple[Path, ...], bool]:
    if any((folder / name).is_file() for name in _SAVED_MODELS):
        beside = (folder / PARAMS, labels)
        return tuple(file for file in regular_files(folder) if file not in beside), True
    named = _named(params, "model")
    if named and (folder / named).is_file():
        return (folder / named,), False
    graphs = sorted(folder.glob("*.pb"))
    if len(graphs) == 1:
        return (graphs[0],), False
    if graphs:
        raise CannotServe(
            f"{folder} holds {len(graphs)} graphs, and {PARAMS} does not say which one it is"
        )
    raise CannotServe(f"{folder} holds no SavedModel and no graph (.pb)")
