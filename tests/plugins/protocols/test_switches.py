"""A version that goes live while a large body is bound answers it: the one before may be gone."""

from __future__ import annotations

import msgspec
from tfaas_plugins.protocols.tfserving.api import ServingApi

from tfaas_core.errors import UnknownModel
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.predictor import LARGE_BODY_BYTES
from tfaas_core.testing.fake_request import FakeRequest
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version

LARGE, SMALL = bytes(LARGE_BODY_BYTES + 1), b"{}"
FIRST = model_version()


def later(number: int) -> ModelVersion:
    return msgspec.structs.replace(FIRST, version=number)


async def bound(body: bytes, *live: ModelVersion) -> tuple[int, list[int]]:
    """Which version is run, and those that were bound, if these are ``live`` one after another."""
    resolved = iter(live)
    binds: list[int] = []

    async def resolve() -> ModelVersion:
        for version in resolved:
            return version
        raise UnknownModel("it was deleted")

    def bind(version: ModelVersion) -> int:
        binds.append(version.version)
        return version.version

    async with host_of() as host:
        request = FakeRequest.of("POST", "/v1/models/vk:predict", body)
        version, found = await ServingApi(host).bound(request, await resolve(), resolve, bind)
    assert found == version.version
    return found, binds


@in_event_loop
async def test_a_large_body_is_bound_again_for_the_version_that_went_live() -> None:
    assert await bound(LARGE, FIRST, later(2), later(2)) == (2, [1, 2])
    assert await bound(LARGE, FIRST, FIRST) == (1, [1])


@in_event_loop
async def test_it_is_not_bound_for_ever() -> None:
    found, binds = await bound(LARGE, *map(later, range(1, 100)))
    assert found == binds[-1] == len(binds) < 10


@in_event_loop
async def test_a_small_one_is_bound_once() -> None:
    assert await bound(SMALL, FIRST, later(2)) == (1, [1])
