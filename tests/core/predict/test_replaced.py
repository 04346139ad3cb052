"""A version that a newer one has just replaced, and that a client wants all the same."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from tests.core.predict.predictor_case import BODY, Case
from tfaas_core.errors import UnknownVersion
from tfaas_core.predict.inference import InferenceRequest
from tfaas_core.predict.target import Target
from tfaas_core.tensors import Bound
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.loops import in_event_loop


@pytest.fixture
def case(tmp_path: Path) -> Case:
    storage = FakeStorage(tmp_path / "storage")
    storage.open()
    case = Case(storage)
    case.upload()
    case.upload()
    case.engine.replaced = {1}
    return case


def bound_for(case: Case) -> Bound:
    (spec,) = case.catalog.get("vk").signature.inputs
    return Bound({spec.name: np.ones((1, 2), np.float32)}, 1, single=False)


@in_event_loop
async def test_it_answers_once_the_engine_knows_that_the_worker_has_looked(case: Case) -> None:
    await case.catalog.load()
    prediction = await case.predict(BODY[:-1] + b', "version": 1}')
    assert prediction.version.version == 1
    case.predictor.close()


@in_event_loop
async def test_so_it_does_by_other_protocols(case: Case) -> None:
    await case.catalog.load()
    asked = InferenceRequest(case.catalog.get("vk", 1), bound_for(case))
    for anew in (case.predictor.infer(asked), case.predictor.infer_anew(asked, Target("vk", 1))):
        case.engine.replaced, case.engine.untold = {1}, 2
        assert (await anew).version.version == 1
    case.predictor.close()


@in_event_loop
async def test_what_was_removed_is_answered_by_what_a_protocol_was_asked_for(case: Case) -> None:
    await case.catalog.load()
    asked = InferenceRequest(case.catalog.get("vk"), bound_for(case))
    case.upload()
    with case.storage.claim("vk") as claim:
        case.storage.prune(claim, 1)
    case.engine.removed = {2}
    with pytest.raises(UnknownVersion, match="no version 2"):
        await case.predictor.infer(asked)
    assert (await case.predictor.infer(asked, Target("vk"))).version.version == 3
    case.predictor.close()
