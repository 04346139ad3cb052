"""Contents: what an unpacked bundle holds: a model, and the files beside it."""

from __future__ import annotations

from pathlib import Path

import msgspec

from tfaas_core.models.params import Params
from tfaas_core.uploads.companions import Companions, read_params
from tfaas_core.uploads.runtime_choice import RuntimeChoice


class Contents(msgspec.Struct, frozen=True):
    """What was found in a bundle.

    ``name`` is the folder at the top of the tarball, empty if there is none. ``model`` is a
    model's file or folder, as a runtime found it, and ``file_name`` what that was called.
    ``said`` is what ``params`` say, if nobody knew better.
    """

    name: str
    model: Path
    file_name: str
    params: Path | None = None
    labels: Path | None = None
    warmup: Path | None = None
    said: Params = Params()


def contents_of(folder: Path, runtimes: RuntimeChoice, wanted: str | None = None) -> Contents:
    """What is in a folder that holds what a bundle holds. Blocks.

    ``wanted``: the runtime that params beside the bundle name, empty for any; None: there are no
    such params, so that those in the bundle count. Raises what ``RuntimeChoice.model_in`` and
    ``read_params`` raise.
    """
    tops = list(folder.iterdir())
    only = tops[0] if len(tops) == 1 and tops[0].is_dir() else None
    root = only or folder
    beside = Companions.at(root, folder)
    said = Params()
    if wanted is None and beside.params is not None:
        said = read_params(beside.params)
    model = runtimes.model_in(root, said.runtime if wanted is None else wanted)
    place = model if model.is_dir() else model.parent
    if place != root:
        above, beside = beside, Companions.at(place, folder)
        if wanted is None and beside.params not in (None, above.params):
            said = read_params(beside.params)
    return Contents(
        name=only.name if only is not None else "",
        model=model,
        file_name="" if model == folder else model.name,
        params=beside.params,
        labels=beside.labels,
        warmup=beside.warmup,
        said=said,
    )
