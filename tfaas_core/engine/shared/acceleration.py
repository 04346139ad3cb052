"""Acceleration: what is known of a model that a second engine may run, and how it is found out."""

from __future__ import annotations

import io
from collections.abc import Sequence
from contextlib import suppress

import msgspec
import numpy as np

from tfaas_core.engine.base import Candidate, Loaded
from tfaas_core.runtime import LoadOptions
from tfaas_core.tensors import Array, Signature

MOST_EXAMPLE_BYTES = 1 << 20
"""Of the inputs of a version's examples together. Further ones are left out."""


HEAD_BYTES = 4
"""What a process tells begins with its length, in so many bytes, the highest first."""


class Speed(msgspec.Struct, frozen=True):
    """How many ``times`` as fast a run of so many ``rows`` is."""

    rows: int
    times: float

    def __str__(self) -> str:
        return f"{self.times:.2f} times as fast at {self.rows} row{'s' * (self.rows != 1)}"


class Acceleration(msgspec.Struct, frozen=True):
    """What a trial has found out of a model.

    ``refusal`` is why ``engine`` must not run it, a clause; empty: it may, in runs of ``most_rows``
    rows at most. ``passes``: the refusal is not the model's fault, and is to be forgotten.
    ``first`` is the engine that it runs in place of, ``checked`` how many runs of both were
    compared.
    """

    engine: str
    first: str
    refusal: str = ""
    most_rows: int = 0
    checked: int = 0
    speeds: tuple[Speed, ...] = ()
    passes: bool = False

    @property
    def runs(self) -> str:
        """The engine that runs it."""
        return self.first if self.refusal else self.engine

    @property
    def reason(self) -> str:
        """One sentence, without a full stop, for people."""
        if self.refusal:
            return f"{self.engine} does not run it: {self.refusal}"
        speeds = ", ".join(map(str, self.speeds))
        return (
            f"the same answers as {self.first} in {self.checked} runs, {speeds}; "
            f"runs of more than {self.most_rows} rows, errors and numbers that are not finite "
            f"are {self.first}'s"
        )


class AccelerationOrder(msgspec.Struct, frozen=True):
    """What a process is to convert, compare and measure; ``examples``: see ``packed_examples``.

    ``signature``, ``mergeable`` and ``stateful`` are what loading it has found out: the last one of
    all its signatures.
    """

    candidate: Candidate
    options: LoadOptions
    signature: Signature
    mergeable: bool
    stateful: bool
    examples: bytes

    @classmethod
    def of(
        cls, candidate: Candidate, options: LoadOptions, loaded: Loaded, examples: bytes
    ) -> AccelerationOrder:
        """For what was loaded with these options."""
        signature = loaded.signature
        candidate = msgspec.structs.replace(candidate, batch=signature.batch)
        return cls(candidate, options, signature, loaded.mergeable, loaded.stateful, examples)


def packed_examples(examples: Sequence[Sequence[Array]]) -> bytes:
    """Inputs of several requests, to be sent; those of strings, and too many, are left out."""
    arrays: dict[str, Array] = {}
    room = MOST_EXAMPLE_BYTES
    for number, inputs in enumerate(examples):
        room -= sum(array.nbytes for array in inputs)
        if room < 0:
            break
        if not any(array.dtype.hasobject for array in inputs):
            arrays |= {f"{number} {place}": array for place, array in enumerate(inputs)}
    packed = io.BytesIO()
    np.savez(packed, allow_pickle=False, **arrays)
    return packed.getvalue()


def unpacked_examples(packed: bytes) -> list[list[Array]]:
    """What ``packed_examples`` was given; nothing, if it is damaged."""
    found: dict[str, list[Array]] = {}
    with suppress(ValueError, OSError), np.load(io.BytesIO(packed), allow_pickle=False) as arrays:
        for name in arrays:
            found.setdefault(name.partition(" ")[0], []).append(arrays[name])
    return list(found.values())
