"""A version that is removed before it was loaded: the one that answers now does, if one does."""

from __future__ import annotations

import msgspec
import numpy as np
import pytest
from tfaas_plugins.protocols.oip.models.models import OipModels

from tfaas_core.errors import TfaasError, Unavailable
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.inference import InferenceRequest
from tfaas_core.predict.target import Target
from tfaas_core.storage import MODEL
from tfaas_core.tensors import Bound, TensorSpec
from tfaas_core.testing.fake_request import FakeRequest
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version

WIDE = [TensorSpec("x", "float32", (None, 3))]


async def answered(target: Target, *, is_replaced: bool = True, dtype: str = "float32") -> int:
    """The version that answers what was asked of the first, which another server removed."""

    def stored(dtype: str) -> ModelVersion:
        outputs = [TensorSpec("sum", dtype, (None, 1))]
        record = model_version(WIDE, outputs, name="vk", version=0)
        record = msgspec.structs.replace(record, runtime="fake")
        with storage.claim("vk") as claim:
            staging = storage.stage()
            (staging / MODEL).write_text("sum")
            return storage.commit(claim, staging, record)

    async with host_of() as host:
        storage = host.storage
        first = stored("float32")
        await host.catalog.load()
        models = OipModels(host)
        version = await models.resolved(FakeRequest.of("POST", "/"), target)
        assert version.key == first.key
        with storage.claim("vk") as claim:
            if not is_replaced:
                storage.delete(claim)
        if is_replaced:
            stored(dtype)
            with storage.claim("vk") as claim:
                storage.delete_version(claim, 1)
        rows = Bound({"x": np.ones((2, 3), np.float32)}, 2, single=False)
        result = await models.run(InferenceRequest(version, rows), target)
        assert result.outputs["sum"].ravel().tolist() == [3.0, 3.0]
        return result.version.version


@in_event_loop
async def test_the_version_that_is_live_now_answers() -> None:
    assert await answered(Target("vk")) == 2


@in_event_loop
async def test_a_version_that_was_asked_for_by_its_number_is_unknown() -> None:
    with pytest.raises(TfaasError, match="version 1") as told:
        await answered(Target("vk", 1))
    assert told.value.status == 404


@in_event_loop
async def test_so_is_a_model_of_which_none_is_left() -> None:
    with pytest.raises(TfaasError) as told:
        await answered(Target("vk"), is_replaced=False)
    assert told.value.status == 404


@in_event_loop
async def test_one_that_gives_something_else_is_not_asked_what_was_made_for_another() -> None:
    with pytest.raises(Unavailable, match=r"vk/1 was removed .* vk/2 takes or gives something"):
        await answered(Target("vk"), dtype="float64")
