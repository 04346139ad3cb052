"""Switches: where the requests for a model go from now on that went somewhere else before."""

from __future__ import annotations

from collections.abc import Iterator

from tfaas_core.events import ModelSwitched
from tfaas_core.models.model import ModelVersion
from tfaas_core.models.versions import Model


def switches(name: str, before: Model | None, after: Model | None) -> Iterator[ModelSwitched]:
    """Of the model ``name``; None: it is not there."""
    old, new = _targets(before), _targets(after)
    for label in sorted(old.keys() | new.keys()):
        was, now = old.get(label), new.get(label)
        if _key(was) != _key(now):
            numbers = [None if version is None else version.version for version in (was, now)]
            yield ModelSwitched(model=name, label=label, before=numbers[0], version=numbers[1])


def _key(version: ModelVersion | None) -> str:
    return "" if version is None else version.key


def _targets(model: Model | None) -> dict[str, ModelVersion]:
    """The versions that requests go to, by label; "" stands for those that name none."""
    if model is None:
        return {}
    labels = model.pointers.labels
    return {"": model.live} | {label: model.labelled(label) for label in labels}
