"""Inference: the one request, and the one result, that all codecs and protocols come down to."""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Sequence

import msgspec

from tfaas_core.errors import DeadlinePassed, DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.target import Target
from tfaas_core.tensors import Array, Arrays, Bound, by_name, runs_whole
from tfaas_core.visit import Visit


class Settled(msgspec.Struct, frozen=True, gc=False):
    """What was found out of a request's inputs, and holds for all of the same dtypes and shapes.

    ``whole``: they share no run, and are not cut.
    """

    version: ModelVersion
    rows: int
    whole: bool


class InferenceRequest(msgspec.Struct, frozen=True, gc=False):
    """What a model is asked, whatever protocol asks it, and by whichever codec it came.

    ``version`` says the model, its version and the signature; ``bound`` holds the named arrays.
    ``outputs`` are those that are wanted, in this order; None: all, in the signature's.
    ``timeout_s``: for how long the client waits, if that is shorter than the server does.
    ``request_id`` is the client's own. ``visit`` tells who asks, and gets what becomes known.

    Requests of different protocols share runs: nothing in here says where they came from.
    """

    version: ModelVersion
    bound: Bound
    outputs: Sequence[str] | None = None
    timeout_s: float | None = None
    request_id: str = ""
    visit: Visit | None = None

    @property
    def own_target(self) -> Target:
        """What names the version and its signature, and nothing else."""
        version = self.version
        signature = version.signature_names[version.place]
        return Target(version.name, version.version, signature=signature)

    def check_outputs(self) -> None:
        """Raises DoesNotFit if an output is wanted that the signature has not, or wanted twice."""
        there = [spec.name for spec in self.version.signature.outputs]
        for index, name in enumerate(self.outputs or ()):
            if name not in there:
                raise DoesNotFit(
                    f"there is no output {name[:140]!r}; the model gives "
                    f"{', '.join(map(repr, there))}",
                    field=name[:140],
                    expected=there,
                )
            if name in (self.outputs or ())[:index]:
                raise DoesNotFit(f"output {name!r} is asked for twice", field=name)

    def settled(self) -> Settled | None:
        """What need not be found out of others like this one, which was answered.

        None: there is something to find out of each.
        """
        signature, bound = self.version.signature, self.bound
        if bound.any_shape or len(bound.arrays) != len(signature.inputs):
            return None
        return Settled(self.version, bound.rows, runs_whole(signature, bound))

    def result(self, outputs: Sequence[Array]) -> InferenceResult:
        """That of ``outputs``, which are all of the signature's, in its order."""
        named = by_name(self.version.signature, outputs)
        if self.outputs is not None:
            named = {name: named[name] for name in self.outputs}
        return InferenceResult(named, self.version, self.request_id)


class InferenceResult(msgspec.Struct, frozen=True, gc=False):
    """What the model answered: named arrays, and the version, with the signature, that ran."""

    outputs: Arrays
    version: ModelVersion
    request_id: str = ""


async def in_time(
    version: ModelVersion, timeout_s: float, running: Awaitable[list[Array]]
) -> list[Array]:
    """What the run gives. Raises DeadlinePassed if the request's own time is over before."""
    try:
        async with asyncio.timeout(timeout_s):
            return await running
    except TimeoutError:
        asked_s = f"{timeout_s:.6f}".rstrip("0").rstrip(".")
        raise DeadlinePassed(
            f"model {version.name!r} did not answer within the {asked_s} s of the request",
            model=version.name,
        ) from None


async def followed(running: Awaitable[list[Array]], visit: Visit) -> list[Array]:
    """What the run gives; it stands between two steps of the request."""
    visit.ends_step("bind")
    outputs = await running
    visit.begins_step()
    return outputs
