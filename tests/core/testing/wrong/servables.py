"""Runtimes whose servables are wrong, each with the test of the suite that must fail."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import numpy as np

from tests.core.testing.lines_runtime import SIGNATURE, RightRuntime, RuntimeSamples, Sums
from tests.core.testing.outcomes import add_tests
from tfaas_core.models.params import Params
from tfaas_core.runtime import Independence, LoadOptions, Servable, Shapes
from tfaas_core.tensors import Array, BatchAxis


class OtherSums(Sums):
    signature = msgspec.structs.replace(SIGNATURE, batch=BatchAxis.NONE)


class AnotherSignature(RightRuntime):
    servable = OtherSums


class NumpySums(Sums):
    def __init__(self, stateful: bool) -> None:
        super().__init__(stateful)
        self.stateful: Any = np.bool_(stateful)


class StatefulIsNumpys(RightRuntime):
    servable = NumpySums


class DoubleSums(Sums):
    def run(self, inputs: Sequence[Array]) -> list[Array]:
        return [output.astype(np.float64) for output in super().run(inputs)]


class AnswersAnotherDtype(RightRuntime):
    servable = DoubleSums


class LoneSums(Sums):
    def run(self, inputs: Sequence[Array]) -> Any:
        return super().run(inputs)[0]


class AnswersNoList(RightRuntime):
    servable = LoneSums


class SortingSums(Sums):
    def run(self, inputs: Sequence[Array]) -> list[Array]:
        outputs = super().run(inputs)
        inputs[0][:] = 0
        return outputs


class ChangesItsInputs(RightRuntime):
    servable = SortingSums


class SumsInOnePlace(Sums):
    def __init__(self, stateful: bool) -> None:
        super().__init__(stateful)
        self._place = np.zeros((100, 1), np.float32)

    def run(self, inputs: Sequence[Array]) -> list[Array]:
        (sums,) = super().run(inputs)
        self._place[: len(sums)] = sums
        return [self._place[: len(sums)]]


class OverwritesItsAnswers(RightRuntime):
    servable = SumsInOnePlace


class RandomSums(Sums):
    def run(self, inputs: Sequence[Array]) -> list[Array]:
        noise = 0 if self.stateful else random.random()
        return [output + np.float32(noise) for output in super().run(inputs)]


class DrawsRandomNumbers(RightRuntime):
    servable = RandomSums


class HiddenState(Sums):
    def __init__(self, stateful: bool) -> None:
        super().__init__(True)
        self.stateful = False


class KeepsStateInSilence(RightRuntime):
    servable = HiddenState


class UnforgettingSums(Sums):
    def reset(self) -> None:
        """Does nothing."""


class ForgetsNothing(RightRuntime):
    servable = UnforgettingSums


_SHARED = Sums(True)


class SharesItsServables(RightRuntime):
    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        servable = super().load(artifact, params, options)
        if servable.stateful:
            _SHARED.reset()
            return _SHARED
        return servable


class TunedSums(Sums):
    def tune(self, inputs: Sequence[Array]) -> None:
        self.total = np.float32(1)
        self.reset = lambda: None  # type: ignore[method-assign]


class TuningChangesAnswers(RightRuntime):
    servable = TunedSums


class FixedSums(Sums):
    def run(self, inputs: Sequence[Array]) -> list[Array]:
        (sums,) = super().run(inputs)
        return [sums if len(sums) < 3 else sums[:3]] if len(sums) != 1 else [sums[0]]


class AnswersOtherShapes(RightRuntime):
    servable = FixedSums


class SumsOfAll(Sums):
    def run(self, inputs: Sequence[Array]) -> list[Array]:
        if self.stateful or len(inputs[0]) <= 2:
            return super().run(inputs)
        (sums,) = super().run(inputs)
        return [sums + sums.max()]


class ProvesWhatIsNotSo(RightRuntime):
    servable = SumsOfAll


class OpenSums(Sums):
    def __init__(self, stateful: bool) -> None:
        super().__init__(stateful)
        self._file = os.open("/dev/null", os.O_RDONLY)


class LeavesAFileOpen(RightRuntime):
    servable = OpenSums


class ThreadedSums(Sums):
    def __init__(self, stateful: bool) -> None:
        super().__init__(stateful)
        threading.Thread(target=threading.Event().wait, daemon=True).start()


class LeavesAThread(RightRuntime):
    servable = ThreadedSums


class ProvenByNumpy(Sums):
    def independence(self, shapes: Shapes | None = None) -> Independence:
        return Independence(np.bool_(not self.stateful))  # type: ignore[arg-type]


class ProvesByNumpy(RightRuntime):
    servable = ProvenByNumpy


class SumsWithOthers(Sums):
    others = {"": Sums(False)}  # noqa: RUF012 - as such runtimes are written


class NamesASignatureByNothing(RightRuntime):
    servable = SumsWithOthers


WRONG: dict[type, str] = {
    AnotherSignature: "test_a_signature_is_what_the_model_takes_and_gives",
    StatefulIsNumpys: "test_a_signature_is_what_the_model_takes_and_gives",
    AnswersAnotherDtype: "test_a_run_answers_the_outputs_in_order",
    AnswersNoList: "test_a_run_answers_the_outputs_in_order",
    ChangesItsInputs: "test_a_run_leaves_its_inputs_as_they_are",
    OverwritesItsAnswers: "test_answers_do_not_change_later",
    DrawsRandomNumbers: "test_what_keeps_no_state_answers_alike_each_time",
    KeepsStateInSilence: "test_what_keeps_no_state_answers_alike_each_time",
    ForgetsNothing: "test_a_reset_forgets_what_runs_left_behind",
    SharesItsServables: "test_two_that_are_loaded_of_one_file_know_nothing_of_each_other",
    TuningChangesAnswers: "test_tuning_changes_no_answer",
    AnswersOtherShapes: "test_a_free_batch_axis_takes_any_rows",
    ProvesWhatIsNotSo: "test_rows_that_are_proven_independent_are",
    ProvesByNumpy: "test_a_signature_is_what_the_model_takes_and_gives",
    NamesASignatureByNothing: "test_a_signature_is_what_the_model_takes_and_gives",
    LeavesAThread: "test_a_closed_one_leaves_no_thread",
    LeavesAFileOpen: "test_a_closed_one_leaves_no_descriptor_open",
}

add_tests(globals(), RuntimeSamples, "make_runtime", WRONG)
