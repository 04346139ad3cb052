"""The predictor: one version answers a request, and its threads wait for no storage."""

from __future__ import annotations

import asyncio
import threading
from pathlib import Path

import msgspec
import pytest
from tfaas_plugins.codecs.json.document import JsonDocument

from tests.core.predict.predictor_case import BODY, FEATURES, Case, HeavyCodec
from tfaas_core.errors import Forbidden, UnknownModel, UnknownVersion
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.early_binding import LARGE_BODY_BYTES
from tfaas_core.predict.prediction import LARGE_ANSWER_BYTES, Prediction
from tfaas_core.route import Head
from tfaas_core.testing.fakes import FakeStorage
from tfaas_core.testing.loops import in_event_loop
from tfaas_core.visit import Visit


@pytest.fixture
def case(tmp_path: Path) -> Case:
    storage = FakeStorage(tmp_path / "storage")
    storage.open()
    case = Case(storage)
    case.upload()
    return case


def answers_as_one(prediction: Prediction, case: Case) -> bool:
    """Whether the version that is named bound the values, ran, and made the answer."""
    number = prediction.version.version
    first = {"a": 10.0, "b": 20.0}[FEATURES[number % 2][0]]
    return case.engine.ran[-1] == number and msgspec.json.decode(prediction.encoded.body) == [first]


@pytest.mark.parametrize("body", [BODY, BODY + b" " * LARGE_BODY_BYTES])
@in_event_loop
async def test_a_version_that_comes_while_the_input_is_bound_gives_all_of_the_answer(
    case: Case, body: bytes
) -> None:
    await case.catalog.load()
    assert answers_as_one(await case.predict(body), case)
    loop = asyncio.get_running_loop()
    switches = iter([case.switch()])

    def switch_once() -> None:
        for switch in switches:
            asyncio.run_coroutine_threadsafe(switch, loop).result(30)

    case.codec.meanwhile = switch_once
    prediction = await case.predict(body)
    assert prediction.version.version == 2
    assert answers_as_one(prediction, case)
    assert case.engine.ran == [1, 2]
    case.predictor.close()


@in_event_loop
async def test_versions_that_never_stop_coming_do_not_keep_a_request_from_its_answer(
    case: Case,
) -> None:
    await case.catalog.load()
    loop = asyncio.get_running_loop()
    case.codec.meanwhile = lambda: asyncio.run_coroutine_threadsafe(case.switch(), loop).result(30)
    for _ in range(4):
        assert answers_as_one(await case.predict(), case)
    case.predictor.close()


@in_event_loop
async def test_what_was_removed_before_it_was_loaded_is_answered_by_what_is_live_now(
    case: Case,
) -> None:
    await case.catalog.load()
    case.upload()
    case.engine.removed = {1}
    prediction = await case.predict()
    assert prediction.version.version == 2
    assert answers_as_one(prediction, case)
    case.predictor.close()


@in_event_loop
async def test_it_is_unknown_to_those_that_ask_for_its_number_or_if_nothing_else_is_live(
    case: Case,
) -> None:
    await case.catalog.load()
    case.engine.removed = {1}
    for body in (BODY, BODY[:-1] + b', "version": 1}'):
        with pytest.raises(UnknownVersion):
            await case.predict(body)
        case.upload()
    case.predictor.close()


@pytest.mark.parametrize("body", [BODY, BODY + b" " * LARGE_BODY_BYTES])
@in_event_loop
async def test_requests_are_answered_while_all_threads_wait_for_a_storage(
    case: Case, body: bytes
) -> None:
    await case.catalog.load()
    is_back = threading.Event()
    waiting = [asyncio.create_task(asyncio.to_thread(is_back.wait, 60)) for _ in range(100)]
    try:
        assert answers_as_one(await asyncio.wait_for(case.predict(body), 30), case)
        assert not any(task.done() for task in waiting)
    finally:
        is_back.set()
        await asyncio.gather(*waiting)
    case.predictor.close()


@in_event_loop
async def test_a_codec_answers_while_all_threads_of_another_one_are_busy(case: Case) -> None:
    await case.catalog.load()
    may_end, other = threading.Event(), HeavyCodec()
    other.name = "other"  # type: ignore[misc]
    case.codec.meanwhile = lambda: may_end.wait(60)
    busy = [asyncio.create_task(case.predict()) for _ in range(20)]
    try:
        for body in (BODY, BODY + b" " * LARGE_BODY_BYTES):
            asking = case.predictor.predict(other, body, Head.of_type("application/json"))
            assert answers_as_one(await asyncio.wait_for(asking, 30), case)
        assert not any(task.done() for task in busy)
    finally:
        may_end.set()
        await asyncio.gather(*busy)
    case.predictor.close()


class AtOnce(HeavyCodec):
    """It takes little time, and is told to do all of it in the event loop."""

    def parse_at_once(self, body: bytes, head: Head) -> JsonDocument | None:
        return self.parse(body, head)

    def is_heavy(self, document: JsonDocument, version: ModelVersion) -> bool:
        return False


@in_event_loop
async def test_a_large_body_that_its_codec_reads_at_once_goes_to_no_thread(case: Case) -> None:
    await case.catalog.load()
    bound_in, case.codec = list[int](), AtOnce()
    case.codec.meanwhile = lambda: bound_in.append(threading.get_ident())
    assert answers_as_one(await case.predict(BODY + b" " * LARGE_BODY_BYTES), case)
    assert bound_in == [threading.get_ident()]
    case.predictor.close()


@in_event_loop
async def test_a_storage_is_read_while_all_threads_of_codecs_are_busy(case: Case) -> None:
    await case.catalog.load()
    may_end = threading.Event()
    case.codec.meanwhile = lambda: may_end.wait(60)
    requests = [asyncio.create_task(case.predict()) for _ in range(100)]
    try:
        await asyncio.wait_for(case.switch(), 30)
        assert not any(request.done() for request in requests)
    finally:
        may_end.set()
    assert {request.version.version for request in await asyncio.gather(*requests)} == {2}
    case.predictor.close()


@in_event_loop
async def test_a_request_that_is_whole_is_run_whole(case: Case) -> None:
    await case.catalog.load()
    await case.predict()
    case.codec.change = lambda bound: msgspec.structs.replace(bound, whole=True)
    await case.predict()
    assert case.engine.whole == [False, True]
    case.predictor.close()


@pytest.mark.parametrize("name", ["vk", "nobody", None])
@in_event_loop
async def test_who_may_not_go_to_a_model_does_not_learn_whether_it_is_there(
    case: Case, name: str | None
) -> None:
    await case.catalog.load()
    asked: list[str] = []

    async def refuse(model: str) -> None:
        asked.append(model)
        raise Forbidden("no")

    visit, bound = Visit(gate=refuse), []
    case.codec.meanwhile = lambda: bound.append(True)
    for more in (0, LARGE_BODY_BYTES):
        with pytest.raises(Forbidden):
            await case.predict(naming(name) + b" " * more, visit)
    assert not bound
    assert asked == 2 * [name or "vk"], "the default model is asked for by its name"
    assert (visit.model, case.engine.ran) == (name or "vk", [])
    case.predictor.close()


@in_event_loop
async def test_who_may_go_there_learns_it(case: Case) -> None:
    await case.catalog.load()

    async def admit(_model: str) -> None:
        """Everybody may go everywhere."""

    with pytest.raises(UnknownModel):
        await case.predict(naming("nobody"), Visit(gate=admit))
    assert answers_as_one(await case.predict(naming("vk"), Visit(gate=admit)), case)
    case.predictor.close()


@in_event_loop
async def test_a_request_for_the_default_model_stays_with_the_one_that_guards_were_asked_for(
    case: Case,
) -> None:
    await case.catalog.load()
    loop = asyncio.get_running_loop()
    case.codec.meanwhile = lambda: asyncio.run_coroutine_threadsafe(other(), loop).result(30)

    async def other() -> None:
        case.upload("other")
        await case.catalog.refresh("other")
        assert case.catalog.get(None).name == "other"
        case.codec.meanwhile = lambda: None

    prediction = await case.predict()
    assert prediction.version.name == "vk"
    case.predictor.close()


@in_event_loop
async def test_it_stays_with_that_one_if_the_default_changes_while_they_answer(case: Case) -> None:
    await case.catalog.load()

    async def admit(model: str) -> None:
        assert model == "vk"
        case.upload("other")
        await case.catalog.refresh("other")
        assert case.catalog.get(None).name == "other"

    prediction = await case.predict(visit=Visit(gate=admit))
    assert prediction.version.name == "vk"
    case.predictor.close()


def naming(name: str | None) -> bytes:
    """A request that names a model, or, with None, none."""
    document = msgspec.json.decode(BODY)
    return msgspec.json.encode(document if name is None else document | {"model": name})


@pytest.mark.parametrize("times", [1, LARGE_ANSWER_BYTES])
@in_event_loop
async def test_a_large_answer_is_written_in_a_thread(case: Case, times: int) -> None:
    await case.catalog.load()
    case.engine.times = times
    prediction = await case.predict()
    assert len(msgspec.json.decode(prediction.encoded.body)) == times
    (thread,) = case.codec.encoded_in
    assert (thread == threading.get_ident()) is (times == 1)
