"""A body that was refused is gone once that is answered, and not when Python looks for cycles."""

from __future__ import annotations

import gc
from collections.abc import Iterator

import pytest

from tfaas_core.system.resources.kept_frames import forget_frames
from tfaas_core.tensors import Array
from tfaas_core.testing.fake_request import FakeLane, FakeRequest
from tfaas_core.testing.hosts import host_of
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.testing.waiting import eventually

BODY = bytes(1 << 21)
PATHS = ("/json", "/msgpack", "/proto", "/image", "/v1/models/vk:predict", "/v2/models/vk/infer")


@pytest.fixture
def cycles_stay() -> Iterator[None]:
    gc.collect()
    gc.disable()
    yield
    gc.enable()


@pytest.mark.usefixtures("cycles_stay")
@in_event_loop
async def test_a_refused_body_is_gone_with_its_answer() -> None:
    before = kept()
    async with host_of(models={"vk": same}) as host:
        lane = FakeLane(host)
        for path in PATHS:
            answer = await lane.answer(FakeRequest.of("POST", path, BODY))
            assert answer.status in (400, 413), path
            # The thread that read it may be just about to be done.
            await eventually(lambda: kept() <= before, f"nothing of {path} is kept")


def kept() -> int:
    return sum(isinstance(each, FakeRequest) for each in gc.get_objects())


def test_nothing_is_kept_by_the_errors_of_a_group() -> None:
    group = ExceptionGroup("two", [raised(), raised()])
    forget_frames(group)
    assert [error.__traceback__ for error in group.exceptions] == [None, None]


def raised() -> Exception:
    try:
        raise ValueError("x")
    except ValueError as error:
        return error


def same(rows: Array) -> Array:
    return rows
