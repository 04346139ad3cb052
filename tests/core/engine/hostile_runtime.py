"""A runtime whose models are attacks: what a model's own code could do, if nothing vetted it."""

from __future__ import annotations

import os
from pathlib import Path

import msgspec

from tests.core.sandbox.attacks import Targets, outcome
from tfaas_core.errors import CannotServe
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.testing.runtime import FakeRuntime


class HostileRuntime(FakeRuntime):
    """Loads what a FakeRuntime loads; ``attack NAME TARGETS``, and tells what became of it; and
    ``tell``, which tells the names of its environment.
    """

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        match artifact.read_text().split(maxsplit=2):
            case ["attack", name, targets]:
                raise CannotServe(outcome(name, msgspec.json.decode(targets, type=Targets)))
            case ["tell"]:
                raise CannotServe(" ".join(sorted(os.environ)))
        return super().load(artifact, params, options)
