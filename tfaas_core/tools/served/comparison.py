"""Comparison: which versions of a served model a storage has, and which it lacks."""

from __future__ import annotations

import msgspec

from tfaas_core.errors import BadBody, CannotServe, DoesNotFit, TfaasError, TooLarge
from tfaas_core.models.versions import Model
from tfaas_core.storage import Storage
from tfaas_core.tools.served.parcel import Parcel, parcel_of
from tfaas_core.tools.served.sources import ServedModel
from tfaas_core.tools.served.versions import FoundVersion, found_versions

OF_ONE_VERSION = (BadBody, CannotServe, DoesNotFit, TooLarge, OSError)
"""What is wrong with one version, so that others may be taken."""


class TakenOver(msgspec.Struct):
    """What became of a model.

    ``copied`` versions are new in the storage, or would be, ``there`` were there already, and
    ``left_out`` are not served by the other server. ``notes`` and ``failed`` are sentences: what
    is otherwise than it was, and what could not be taken.
    """

    name: str
    copied: int = 0
    there: int = 0
    left_out: int = 0
    notes: list[str] = []
    failed: list[str] = []


def compared(
    storage: Storage, model: ServedModel, name: str
) -> tuple[TakenOver, list[tuple[FoundVersion, Parcel]]]:
    """What would become of a model whose versions are all good, and those that are missing.

    Blocks. Raises CannotServe if nothing of it can be taken, what storages raise, and OSError.
    """
    if model.refusal:
        raise CannotServe(model.refusal)
    found = found_versions(model.base, model.policy)
    if not found.taken and not found.refused:
        raise CannotServe(f"{model.base} has no version, which is a folder called by its number")
    taken = TakenOver(name, failed=list(found.refused), left_out=found.others)
    if model.label_files[1:]:
        used = model.label_files[0].name
        taken.notes.append(f"labels of classes are of a whole model here, taking {used}")
    stored, missing = storage.model(name), []
    for version in found.taken:
        try:
            parcel = parcel_of(model, version)
            if _is_there(stored, version, parcel):
                taken.there += 1
            else:
                missing.append((version, parcel))
        except OF_ONE_VERSION as error:
            taken.failed.append(f"version {version.number}: {sentence_of(error)}")
    taken.copied = len(missing)
    return taken, missing


def _is_there(stored: Model | None, version: FoundVersion, parcel: Parcel) -> bool:
    if stored is None:
        return False
    same = next((each for each in stored.versions if each.version == version.number), None)
    if same is None and version.number < stored.newest.version:
        raise DoesNotFit(
            f"it is lower than {stored.newest.reference}, which the target has already: it cannot "
            "be added"
        )
    if same is not None and same.checksum != parcel.checksum():
        raise DoesNotFit(f"the target has another {same.reference}, of {same.created}")
    return same is not None


def sentence_of(error: TfaasError | OSError) -> str:
    """What the error says, of a file which one."""
    if isinstance(error, TfaasError):
        return error.message
    return f"{error.filename} cannot be read: {error.strerror or type(error).__name__}"
