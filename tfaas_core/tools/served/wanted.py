"""Wanted: which of the found models are to be taken, and under which names."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence

import msgspec

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import NAME_RULE, is_name
from tfaas_core.tools.served.sources import ServedModel


class Wanted(msgspec.Struct, frozen=True):
    """A model that is to become ``name``. Without a model, ``refusal`` says why it cannot."""

    name: str
    model: ServedModel | None
    refusal: str = ""


def wanted(
    models: Sequence[ServedModel], names: Sequence[str], renames: Mapping[str, str]
) -> list[Wanted]:
    """Those of ``names``, or else all, each by its new name if ``renames`` has one for it.

    Raises DoesNotFit if there is nothing that a renamed one could be.
    """
    counts = Counter(model.name for model in models)
    for old in renames:
        if old not in counts:
            raise DoesNotFit(f"there is no model {old[:140]!r} to rename")
    chosen = list(dict.fromkeys(names or counts))
    become = Counter(renames.get(name, name) for name in chosen)
    found = {model.name: model for model in models}
    return [_wanted(name, renames.get(name, name), found, counts, become) for name in chosen]


def _wanted(
    old: str,
    new: str,
    found: Mapping[str, ServedModel],
    counts: Mapping[str, int],
    become: Mapping[str, int],
) -> Wanted:
    refusal = ""
    if old not in found:
        refusal = f"there is no model {old[:140]!r} to copy"
    elif not new:
        refusal = "its configuration gives it no name"
    elif counts[old] > 1:
        refusal = f"{counts[old]} models have this name: give them different ones where they are"
    elif not is_name(new):
        advice = f"--rename {old[:140]!r}=NAME takes it as another"
        refusal = f"it cannot name a model here: a name is {NAME_RULE}; {advice}"
    elif become[new] > 1:
        refusal = f"{become[new]} models would be called {new!r}"
    return Wanted(new, None if refusal else found[old], refusal)
