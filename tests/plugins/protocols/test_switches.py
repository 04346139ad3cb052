"""A version that goes live while a large body is bound answers it: the one before may be gone."""

from __future__ import annotations

import msgspec
from tfaas_plugins.protocols.oip.models.models import OipModels

from tfaas_core.errors import UnknownModel
from tfaas_core.host import Host
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.target import Target
from tfaas_core.route import Request
from tfaas_core.testing.fake_request import FakeRequest
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.models import model_version

FIRST = model_version()


def later(number: int) -> ModelVersion:
    return msgspec.structs.replace(FIRST, version=number)


class Switching(OipModels):
    """``live`` are the versions that are live one after another, whenever somebody looks."""

    def __init__(self, host: Host, *live: ModelVersion) -> None:
        super().__init__(host)
        self._live = iter(live)

    async def resolved(self, request: Request, target: Target) -> ModelVersion:
        for version in self._live:
            return version
        raise UnknownModel("it was deleted")


async def bound(*live: ModelVersion) -> tuple[int, list[int]]:
    """Which version is run, and those that were bound, if these are ``live`` one after another."""
    binds: list[int] = []

    def bind(version: ModelVersion) -> int:
        binds.append(version.version)
        return version.version

    async with host_of() as host:
        models, request, target = Switching(host, *live), FakeRequest.of("POST", "/"), Target("vk")
        first = await models.resolved(request, target)
        version, found = await models.bound(request, target, first, bind)
    assert found == version.version
    return found, binds


@in_event_loop
async def test_a_large_body_is_bound_again_for_the_version_that_went_live() -> None:
    assert await bound(FIRST, later(2), later(2)) == (2, [1, 2])
    assert await bound(FIRST, FIRST) == (1, [1])


@in_event_loop
async def test_it_is_not_bound_for_ever() -> None:
    found, binds = await bound(*map(later, range(1, 100)))
    assert found == binds[-1] == len(binds) < 10
