"""Case: one sentence of a protocol, and the requests that show whether a server keeps it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Literal, TypeAlias

import msgspec

from tfaas_core.testing.conformance.exchange import Ask, Reply

Mark: TypeAlias = Literal["MUST", "SHOULD"]


class Expectation(msgspec.Struct, frozen=True):
    """What an answer has to be: in words, and as a function, which raises Unmet.

    ``holds`` is given all answers of the case so far; the last one is looked at.
    """

    words: str
    holds: Callable[[Sequence[Reply]], None]


class Probe(msgspec.Struct, frozen=True):
    """A request, and what is expected of its answer.

    ``skips``: statuses by which a server says that it does not offer this; the case ends there.
    """

    ask: Ask
    expected: tuple[Expectation, ...]
    skips: tuple[int, ...] = ()


class Case(msgspec.Struct, frozen=True):
    """A sentence of a protocol, and the probes that try it, in order.

    ``id`` begins with the case's group. MUST: clients break if it does not hold; SHOULD: what the
    protocol's own servers do, or would do if they did it well. ``extension``: what a server of the
    Open Inference Protocol has to announce. ``afterwards`` is sent if the case fails, so that the
    server is left as it was.
    """

    id: str
    mark: Mark
    sentence: str
    probes: tuple[Probe, ...]
    extension: str = ""
    afterwards: Ask | None = None

    @property
    def group(self) -> str:
        """All of the id but its last part."""
        return self.id.rpartition(".")[0]


def probe(ask: Ask, *expected: Expectation, skips: tuple[int, ...] = ()) -> Probe:
    """One request of a case of several."""
    return Probe(ask, expected, skips)


class Group:
    """Makes the cases whose ids begin with ``name``, and which need ``extension``."""

    def __init__(self, name: str, extension: str = "") -> None:
        self._name = name
        self._extension = extension

    def must(
        self,
        name: str,
        sentence: str,
        ask: Ask | Probe,
        *rest: Expectation | Probe,
        afterwards: Ask | None = None,
    ) -> Case:
        """A case of one request and what is expected of it, or of several probes."""
        probes = _probes(ask, rest)
        return Case(f"{self._name}.{name}", "MUST", sentence, probes, self._extension, afterwards)

    def should(
        self,
        name: str,
        sentence: str,
        ask: Ask | Probe,
        *rest: Expectation | Probe,
        afterwards: Ask | None = None,
    ) -> Case:
        """The same."""
        case = self.must(name, sentence, ask, *rest, afterwards=afterwards)
        return msgspec.structs.replace(case, mark="SHOULD")


def _probes(ask: Ask | Probe, rest: tuple[Expectation | Probe, ...]) -> tuple[Probe, ...]:
    if isinstance(ask, Probe):
        return (ask, *(s for s in rest if isinstance(s, Probe)))
    return (Probe(ask, tuple(e for e in rest if isinstance(e, Expectation))),)
