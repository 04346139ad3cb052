"""The models of the original TFaaS in a folder: found, so that somebody hears of them."""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path
from shlex import quote

from tfaas_backends.storages.filesystem.models import RECORD

_FILES = ("params.json", "saved_model.pb", "saved_model.pbtxt")


def old_models(root: Path) -> list[str]:
    """The folders of ``root`` that hold a model as the original TFaaS kept it, sorted.

    That is a params.json or a graph itself, and no version of this storage. ``"."`` stands for
    the root. Folders that cannot be read are passed over.
    """
    folders = [root]
    with suppress(OSError), os.scandir(root) as entries:
        folders += [Path(e.path) for e in entries if not e.name.startswith(".") and e.is_dir()]
    return sorted(str(folder.relative_to(root)) for folder in folders if _is_old(folder))


def _is_old(folder: Path) -> bool:
    with suppress(OSError):
        names = os.listdir(folder)
        if any(name in _FILES or name.endswith(".pb") for name in names):
            return not any((folder / name / RECORD).exists() for name in names)
    return False


def told_of(root: Path, models: list[str]) -> str:
    """What the log says of them."""
    found = "a model" if len(models) == 1 else f"{len(models)} models"
    served = (
        "which is not served, and stays" if len(models) == 1 else "which are not served, and stay"
    )
    return (
        f"{root} holds {found} of the original TFaaS (in {models[0]!r}), {served} as before: "
        f"set storage.root to another folder, and run: tfaas import {quote(str(root))}"
    )
