"""Engines that are wrong, each with the test of the suite that must fail."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import msgspec
import numpy as np

from tests.core.testing.fake_engines import FakeEngineContract
from tests.core.testing.outcomes import add_tests
from tfaas_core.engine.base import Candidate, Loaded, ServableStatus
from tfaas_core.errors import CannotServe, DoesNotFit, ModelLost, TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.runtime import Servable
from tfaas_core.tensors import Array
from tfaas_core.testing.fake_engine import FakeEngine
from tfaas_core.visit import Timing


class TestRight(FakeEngineContract):
    """What the wrong ones are, but for what is wrong."""


class MergesAll(FakeEngine):
    async def prepare(self, candidate: Candidate) -> Loaded:
        return msgspec.structs.replace(await super().prepare(candidate), mergeable=True)


class LoadsInItsOwnWords(FakeEngine):
    async def prepare(self, candidate: Candidate) -> Loaded:
        try:
            return await super().prepare(candidate)
        except CannotServe:
            raise CannotServe("something went wrong") from None


class KeepsWhatIsDiscarded(FakeEngine):
    def discard(self, ticket: int) -> None:
        pass


class RemembersWhatRanBefore(FakeEngine):
    async def adopt(self, ticket: int, version: ModelVersion) -> None:
        servable = self._prepared[ticket]
        stateful, servable.stateful = servable.stateful, False
        await super().adopt(ticket, version)
        servable.stateful = stateful


class LoadsForEachRun(FakeEngine):
    @contextmanager
    def _used(self, version: ModelVersion) -> Iterator[Servable]:
        with super()._used(version) as servable:
            yield servable
        self.retire(version)


class NeedsTheArtifactAgain(FakeEngine):
    async def _run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        timing: Timing | None,
    ) -> list[Array]:
        if not self._surroundings.artifact(version).exists():
            raise CannotServe("the artifact is away")
        return await super()._run(version, inputs, rows, whole, timing)


class TakesNumbers(FakeEngine):
    def _of(self, version: ModelVersion) -> object:  # type: ignore[override]
        for key in self._loaded:
            if key.startswith(f"{version.reference} "):
                return self._loaded[key]
        return super()._of(version)


class LosesWhatItRetires(FakeEngine):
    @contextmanager
    def _used(self, version: ModelVersion) -> Iterator[Servable]:
        with super()._used(version) as servable:
            held = self._loaded[version.key]
            yield servable
        if held.is_leaving:
            raise ModelLost("it was retired")


class IsNeverFull(FakeEngine):
    @contextmanager
    def _queued(self, version: ModelVersion, rows: int) -> Iterator[None]:
        yield


class IsFullForGood(FakeEngine):
    @contextmanager
    def _queued(self, version: ModelVersion, rows: int) -> Iterator[None]:
        with super()._queued(version, rows):
            yield
        self._waiting_rows[version.key] += rows


class EvictsTheNewest(FakeEngine):
    def _make_room(self) -> None:
        idle = sorted(self._loaded, key=lambda key: -self._loaded[key].used)
        if self._open > self._surroundings.config.engine.max_loaded_models:
            self._close(self._loaded.pop(idle[0]).servable)


class WarmsUpAll(FakeEngine):
    async def ready(self, version: ModelVersion) -> bool:
        is_new = not self.uses(version)
        await super().ready(version)
        return is_new


class IsReadyInSilence(FakeEngine):
    async def ready(self, version: ModelVersion) -> bool:
        await super().ready(version)
        return False


class LeavesAFileOpen(FakeEngine):
    async def start(self) -> None:
        os.dup(2)


class Answering(FakeEngine):
    """Does something else with what it is to answer."""

    def answered(
        self, outputs: list[Array], inputs: Sequence[Array], rows: int, whole: bool
    ) -> list[Array]:
        raise NotImplementedError

    def _outputs(
        self,
        version: ModelVersion,
        servable: Servable,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        asked_s: float,
    ) -> list[Array]:
        outputs = super()._outputs(version, servable, inputs, rows, whole, asked_s)
        return self.answered(outputs, inputs, rows, whole)


class AnswersInDoubles(Answering):
    def answered(
        self, outputs: list[Array], inputs: Sequence[Array], rows: int, whole: bool
    ) -> list[Array]:
        return [output.astype(np.float64) for output in outputs]


class AnswersAsBefore(Answering):
    """The same number of rows is the same request."""

    def __init__(self) -> None:
        super().__init__()
        self._before: dict[int, list[Array]] = {}

    def answered(
        self, outputs: list[Array], inputs: Sequence[Array], rows: int, whole: bool
    ) -> list[Array]:
        return self._before.setdefault(rows, outputs)


class AnswersTheFirstRun(Answering):
    def answered(
        self, outputs: list[Array], inputs: Sequence[Array], rows: int, whole: bool
    ) -> list[Array]:
        return [output[: self._surroundings.config.engine.max_batch_rows] for output in outputs]


class CutsWholeRequests(FakeEngine):
    def _outputs(
        self,
        version: ModelVersion,
        servable: Servable,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        asked_s: float,
    ) -> list[Array]:
        return super()._outputs(version, servable, inputs, rows, False, asked_s)


class CutsWhatCountsRows(FakeEngine):
    def _outputs(
        self,
        version: ModelVersion,
        servable: Servable,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        asked_s: float,
    ) -> list[Array]:
        version = msgspec.structs.replace(version, mergeable=True)
        return super()._outputs(version, servable, inputs, rows, whole, asked_s)


class TellsNoTimes(FakeEngine):
    async def _run(
        self,
        version: ModelVersion,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        timing: Timing | None,
    ) -> list[Array]:
        return await super()._run(version, inputs, rows, whole, None)


class ListsNothing(FakeEngine):
    async def servables(self) -> list[ServableStatus]:
        return []


class IsNeverLate(FakeEngine):
    def _outputs(
        self,
        version: ModelVersion,
        servable: Servable,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        asked_s: float,
    ) -> list[Array]:
        return super()._outputs(version, servable, inputs, rows, whole, asked_s + 3600)


class FailsForAll(FakeEngine):
    """Who comes after a request that failed, fails, too."""

    def __init__(self) -> None:
        super().__init__()
        self._failed: TfaasError | None = None

    def _outputs(
        self,
        version: ModelVersion,
        servable: Servable,
        inputs: Sequence[Array],
        rows: int,
        whole: bool,
        asked_s: float,
    ) -> list[Array]:
        if self._failed is not None:
            raise self._failed
        try:
            return super()._outputs(version, servable, inputs, rows, whole, asked_s)
        except DoesNotFit as error:
            self._failed = error
            raise


WRONG: dict[type, str] = {
    MergesAll: "test_prepare_tells_signature_and_whether_rows_are_independent",
    LoadsInItsOwnWords: "test_a_model_that_wants_to_end_its_process_on_loading_is_refused",
    KeepsWhatIsDiscarded: "test_a_discarded_upload_leaves_nothing",
    RemembersWhatRanBefore: "test_what_ran_before_it_was_stored_has_left_no_trace",
    LoadsForEachRun: "test_a_stored_version_is_loaded_by_its_first_requests",
    NeedsTheArtifactAgain: "test_what_is_loaded_needs_its_artifact_no_longer",
    TakesNumbers: "test_a_deleted_models_successor_of_the_same_number_is_another_version",
    LosesWhatItRetires: "test_a_retired_version_gives_its_last_answers_and_is_gone",
    IsNeverFull: "test_rows_beyond_max_queue_rows_are_refused_until_some_are_answered",
    IsFullForGood: "test_rows_beyond_max_queue_rows_are_refused_until_some_are_answered",
    EvictsTheNewest: "test_the_least_recently_used_is_unloaded_and_loaded_again_on_demand",
    WarmsUpAll: "test_a_stateful_version_that_is_ready_is_not_to_be_warmed_up",
    IsReadyInSilence: "test_ready_tells_who_had_the_version_loaded",
    LeavesAFileOpen: "test_a_closed_engine_leaves_no_descriptor_open",
    AnswersInDoubles: "test_answers_are_of_the_signatures_dtype_and_shape",
    AnswersAsBefore: "test_each_of_many_concurrent_requests_gets_its_own_answer",
    AnswersTheFirstRun: "test_a_request_beyond_max_batch_rows_is_answered_whole",
    CutsWholeRequests: "test_a_whole_request_shares_no_run_and_is_not_cut",
    CutsWhatCountsRows: "test_rows_that_are_not_independent_never_share_a_run",
    TellsNoTimes: "test_a_run_tells_how_long_it_took",
    ListsNothing: "test_what_is_loaded_is_listed",
    IsNeverLate: "test_a_run_of_a_prepared_upload_has_the_deadline_of_any_request",
    FailsForAll: "test_a_refused_row_fails_alone",
}

add_tests(globals(), FakeEngineContract, "make_engine", WRONG)
