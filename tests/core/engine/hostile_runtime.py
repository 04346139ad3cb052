"""A runtime whose models are attacks: what a model's own code could do, if nothing vetted it."""

from __future__ import annotations

import os
import socket
import stat
import sys
from pathlib import Path

import msgspec

from tests.core.sandbox.attacks import Targets, outcome
from tfaas_core.engine.shared.messages import Broken, Failure, LoadFailed, Unloaded
from tfaas_core.errors import CannotServe
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable
from tfaas_core.system.links.inbox import framed
from tfaas_core.testing.runtime import FakeRuntime
from tfaas_core.testing.waiting import until

WAITS = "waits for the artifact"


class HostileRuntime(FakeRuntime):
    """Loads what a FakeRuntime loads; ``attack NAME TARGETS``, and tells what became of it;
    ``tell``, which tells the names of its environment; and ``forge TICKET``, which says to the
    parent that the model of this ticket is gone. What is not there it waits for, and says so.
    """

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        if not artifact.exists():
            print(WAITS, file=sys.stderr, flush=True)
            until(artifact.exists)
        match artifact.read_text().split(maxsplit=2):
            case ["attack", name, targets]:
                raise CannotServe(outcome(name, msgspec.json.decode(targets, type=Targets)))
            case ["tell"]:
                raise CannotServe(" ".join(sorted(os.environ)))
            case ["forge", ticket]:
                _forge(int(ticket))
                raise CannotServe("it was said")
        return super().load(artifact, params, options)


def _forge(ticket: int) -> None:
    failure = Failure.of(CannotServe("forged"))
    said = (Broken(ticket), LoadFailed(ticket, failure), Unloaded(ticket))
    for descriptor in map(int, os.listdir("/proc/self/fd")):
        try:
            if descriptor > 2 and stat.S_ISSOCK(os.fstat(descriptor).st_mode):
                with socket.socket(fileno=os.dup(descriptor)) as link:
                    link.send(b"".join(map(framed, said)))
        except OSError:
            pass  # it was the listing's, or leads nowhere
