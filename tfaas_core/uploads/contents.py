"""Contents: what an unpacked bundle holds: a model, and the files beside it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tfaas_core.uploads.companions import LABELS, PARAMS, WARMUP_FILE, companion, read_params
from tfaas_core.uploads.runtime_choice import RuntimeChoice


class Contents(msgspec.Struct, frozen=True):
    """What was found in a bundle.

    ``name`` is the folder at the top of the tarball, empty if there is none. ``model`` is a
    model's file or folder, as a runtime found it, and ``file_name`` what that was called.
    """

    name: str
    model: Path
    file_name: str
    params: Path | None = None
    labels: Path | None = None
    warmup: Path | None = None


def contents_of(folder: Path, runtimes: RuntimeChoice, wanted: str | None = None) -> Contents:
    """What is in a folder that holds what a bundle holds. Blocks.

    ``wanted``: the runtime that params beside the bundle name, empty for any; None: there are no
    such params, so that those in the bundle count. Raises what ``RuntimeChoice.model_in`` and
    ``read_params`` raise.
    """
    tops = list(folder.iterdir())
    only = tops[0] if len(tops) == 1 and tops[0].is_dir() else None
    root = only or folder
    model = runtimes.model_in(root, _wanted(root, folder) if wanted is None else wanted)
    place = model if model.is_dir() else model.parent
    return Contents(
        name=only.name if only is not None else "",
        model=model,
        file_name="" if model == folder else model.name,
        params=companion(place, folder, PARAMS),
        labels=companion(place, folder, *LABELS),
        warmup=companion(place, folder, WARMUP_FILE),
    )


def _wanted(root: Path, folder: Path) -> str:
    params = companion(root, folder, PARAMS)
    return read_params(params).runtime if params is not None else ""
