"""Changes of a model: between what was served of it and what is stored, where requests go."""

from __future__ import annotations

from collections.abc import Iterator
from typing import TypeAlias

from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model, Pointers

Move: TypeAlias = tuple[ModelVersion, ModelVersion]
"""A version that requests went to, and the one that they go to from now on."""


def moves_between(before: Model, after: Model) -> Iterator[Move]:
    """Where requests will go that went somewhere else before."""
    if before.live.key != after.live.key:
        yield before.live, after.live
    for label in before.pointers.labels.keys() & after.pointers.labels.keys():
        old, new = before.labelled(label), after.labelled(label)
        if old.key != new.key:
            yield old, new


def interim_model(before: Model, after: Model) -> Model:
    """``after``, while requests still go where they went ``before``: what is gone is left out.

    A live version that newer ones have pushed out, rather than somebody deleted, answers on.
    """
    live = before.live
    there = {version.key for version in after.versions}
    numbers = {version.version: version.key for version in before.versions}
    is_another = any(numbers.get(v.version, v.key) != v.key for v in after.versions)
    if live.key not in there and (is_another or live.version > after.pointers.live):
        return after
    versions = {version.version: version for version in (live, *after.versions)}
    labels = dict(after.pointers.labels)
    for label in before.pointers.labels.keys() & labels.keys():
        old = before.labelled(label)
        if old.key in there:
            labels[label] = old.version
    history = after.pointers.history
    if live.version != after.pointers.live:
        history = (*(number for number in history if number != live.version), live.version)
    return Model.of(versions.values(), Pointers(history, labels))


def overtaken_model(served: Model, model: Model, now: Model) -> Model:
    """What to serve once ``model`` is ready, while the one to serve is ``now`` already another.

    Its live version, if an upload has overtaken it; otherwise nothing else than is ``served``.
    """
    live = model.live
    if live.version >= now.pointers.live or live.key not in {v.key for v in now.versions}:
        return served
    versions = {version.version: version for version in (*served.versions, live)}
    pointers = served.pointers.with_live(live.version)
    return interim_model(Model.of(versions.values(), pointers), now)


def keys_pointed_at(model: Model | None) -> Iterator[str]:
    """Of the live version, and of those that labels name."""
    if model is not None:
        for version in model.versions:
            if version.version in model.pointers.kept:
                yield version.key


def versions_gone(before: Model, after: Model | None) -> Iterator[ModelVersion]:
    """Versions that are no longer there, or no longer live or labelled.

    Those that are there all the same are loaded again should a request name their number.
    """
    there = {v.key: v for v in after.versions} if after is not None else {}
    kept = after.pointers.kept if after is not None else set()
    for version in before.versions:
        was_kept = version.version in before.pointers.kept
        if version.key not in there or (was_kept and version.version not in kept):
            yield version
