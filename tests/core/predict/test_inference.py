"""The one request that all protocols come down to."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np
import pytest

from tfaas_core.errors import DeadlinePassed, DoesNotFit, Forbidden, UnknownModel
from tfaas_core.models.model import ModelVersion, OtherSignature
from tfaas_core.predict.catalog import Catalog
from tfaas_core.predict.inference import InferenceRequest
from tfaas_core.predict.predictor import Predictor
from tfaas_core.predict.target import Target
from tfaas_core.routing.in_flight import InFlight
from tfaas_core.storage import MODEL, removed
from tfaas_core.tensors import Array, BatchAxis, Bound, Signature, TensorSpec
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version
from tfaas_core.visit import Visit

ROWS = np.ones((2, 3), np.float32)
OUTPUTS = tuple(TensorSpec(name, "float32", (None, 3)) for name in ("y", "z"))
INPUTS = (TensorSpec("x", "float32", (None, 3)),)
OTHER = Signature(INPUTS, OUTPUTS, BatchAxis.FREE, "other")


class Places:
    """An engine that answers with its signature's place; ``asked`` is what it got."""

    takes_levels = False

    def __init__(self) -> None:
        self.asked: list[Any] = []
        self.hangs = self.is_unloaded = False

    async def run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        *how: Any,
        any_shape: bool = False,
    ) -> list[Array]:
        self.asked.append((version.place, *how[:2], any_shape))
        if self.hangs:
            await asyncio.Event().wait()
        if self.is_unloaded:
            raise removed(version)
        return [inputs[0] * version.place, inputs[0]]

    def looked_up(self, _model: str) -> None:
        self.is_unloaded = False


class Case:
    def __init__(self, folder: Path, chosen: str = "") -> None:
        storage = FakeStorage(folder)
        storage.open()
        record = msgspec.structs.replace(
            model_version(INPUTS, OUTPUTS, name="vk"), others=(OtherSignature(OTHER, True),)
        )
        signature = msgspec.structs.replace(record.signature, name=chosen)
        record = msgspec.structs.replace(record, signature=signature)
        staging = storage.stage()
        (staging / MODEL).write_bytes(b"x")
        with storage.claim("vk") as claim:
            storage.commit(claim, staging, msgspec.structs.replace(record, version=0))
        self.engine = Places()
        engine: Any = self.engine
        self.catalog = Catalog(storage, "", lambda _gone: None, self._make_ready)
        self.predictor = Predictor(self.catalog, engine, 100, InFlight(1 << 30))

    async def _make_ready(self, old: ModelVersion, new: ModelVersion) -> None:
        """They always are."""

    async def resolved(self, signature: str | None = None) -> ModelVersion:
        await self.catalog.load()
        return await self.predictor.resolve(Target("vk", signature=signature))


@pytest.fixture
def case(tmp_path: Path) -> Case:
    return Case(tmp_path)


def bound(array: Array = ROWS, **how: Any) -> Bound:
    return Bound({"x": array}, len(array), single=False, **how)


@in_event_loop
async def test_a_signature_is_resolved_and_the_wanted_outputs_are_given_in_their_order(
    case: Case,
) -> None:
    version = await case.resolved("other")
    request = InferenceRequest(version, bound(), ["z", "y"], request_id="mine")
    result = await case.predictor.infer(request)
    assert (list(result.outputs), result.request_id) == (["z", "y"], "mine")
    assert result.version is version is (await case.resolved("other"))
    assert case.engine.asked == [(1, 2, False, False)]


@in_event_loop
@pytest.mark.parametrize(("outputs", "why"), [(["q"], "no output 'q'"), (["y", "y"], "twice")])
async def test_outputs_that_are_not_there_are_refused_before_anything_runs(
    case: Case, outputs: list[str], why: str
) -> None:
    request = InferenceRequest(await case.resolved(), bound(), outputs)
    with pytest.raises(DoesNotFit, match=why):
        await case.predictor.infer(request)
    assert not case.engine.asked


@in_event_loop
async def test_a_request_s_own_deadline_ends_it(case: Case) -> None:
    case.engine.hangs = True
    request = InferenceRequest(await case.resolved(), bound(), timeout_s=0.01)
    with pytest.raises(DeadlinePassed, match=r"within the 0\.01 s of the request"):
        await case.predictor.infer(request)


@in_event_loop
async def test_shapes_that_are_not_the_signature_s_are_passed_on_if_they_are_meant(
    case: Case,
) -> None:
    version = await case.resolved()
    odd = np.ones(5, np.float32)
    with pytest.raises(DoesNotFit, match="the model takes float32"):
        await case.predictor.infer(InferenceRequest(version, bound(odd)))
    meant = bound(odd, whole=True, any_shape=True)
    await case.predictor.infer(InferenceRequest(version, meant))
    assert case.engine.asked == [(0, 5, True, True)]


@in_event_loop
async def test_the_signature_stays_if_the_version_is_looked_up_again(tmp_path: Path) -> None:
    case = Case(tmp_path, chosen="one")  # of two, none of which answers if none is named
    for place, name in enumerate(("one", "other")):
        case.engine.is_unloaded = True
        await case.predictor.infer(InferenceRequest(await case.resolved(name), bound()))
        assert case.engine.asked[-1] == (place, 2, False, False)


@in_event_loop
async def test_guards_are_asked_before_anything_is_looked_up(case: Case) -> None:
    await case.catalog.load()

    def refuse(name: str) -> None:
        raise Forbidden(f"not {name}")

    visit = Visit(gate=refuse)
    with pytest.raises(Forbidden, match="not secret"):
        await case.predictor.resolve(Target("secret"), visit)
    with pytest.raises(UnknownModel):
        await case.predictor.resolve(Target("secret"))
