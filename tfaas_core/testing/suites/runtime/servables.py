"""The part of Runtime's contract about what it loads: a servable's word, runs and end."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import suppress
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from tfaas_core.errors import DoesNotFit
from tfaas_core.runtime import Independence, LoadOptions, Runtime, Servable
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, Signature
from tfaas_core.testing.children import apart
from tfaas_core.testing.suites.runtime.case import ModelSample, RuntimeCase, copied, loaded
from tfaas_core.testing.suites.runtime.processes import wrong_refusals
from tfaas_core.testing.waiting import until

_SEVERAL = 5


class ServablesContract(RuntimeCase):
    """What a runtime loads."""

    @pytest.fixture
    def pairs(self, models: list[Path]) -> list[tuple[ModelSample, Path]]:
        """Each sample with its artifact."""
        return list(zip(self.samples, models, strict=True))

    def test_a_signature_is_what_the_model_takes_and_gives(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        for sample, model in pairs:
            with loaded(runtime, model, sample) as servable:
                assert servable.signature == sample.signature
                _assert_sound(servable.signature)
                assert type(servable.stateful) is bool
                independence = servable.independence()
                assert type(independence.proven) is bool
                assert type(independence.reason) is str
                for name, other in servable.others.items():
                    assert type(name) is str
                    assert name
                    _assert_sound(other.signature)

    def test_a_run_answers_the_outputs_in_order(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        for sample, model in pairs:
            for threads in (0, 1):
                with loaded(runtime, model, sample, LoadOptions(threads=threads)) as servable:
                    self.assert_answers(sample, servable.run(list(sample.inputs)))

    def test_a_run_leaves_its_inputs_as_they_are(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        for sample, model in pairs:
            with loaded(runtime, model, sample) as servable:
                inputs = [array.copy() for array in sample.inputs]
                servable.run(inputs)
                for array, before in zip(inputs, sample.inputs, strict=True):
                    np.testing.assert_array_equal(array, before)

    def test_answers_do_not_change_later(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        """What a run has returned is not overwritten by the next one."""
        for sample, model in pairs:
            with loaded(runtime, model, sample) as servable:
                got = servable.run(list(sample.inputs))
                for _ in range(2):
                    with suppress(DoesNotFit):
                        servable.run([np.zeros_like(array) for array in sample.inputs])
                self.assert_answers(sample, got)

    def test_what_keeps_no_state_answers_alike_each_time(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        """Else it is ``stateful``: also if it draws random numbers."""
        for sample, model in pairs:
            with loaded(runtime, model, sample) as servable:
                if not servable.stateful:
                    for array in _others(sample):
                        with suppress(DoesNotFit):
                            servable.run(array)
                        self.assert_answers(sample, servable.run(list(sample.inputs)))

    def test_a_reset_forgets_what_runs_left_behind(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        for sample, model in pairs:
            with loaded(runtime, model, sample) as servable:
                if servable.stateful:
                    for _ in range(3):
                        servable.run(list(sample.inputs))
                    servable.reset()
                    self.assert_answers(sample, servable.run(list(sample.inputs)))

    def test_two_that_are_loaded_of_one_file_know_nothing_of_each_other(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        for sample, model in pairs:
            with loaded(runtime, model, sample) as one:
                one.run(list(sample.inputs))
                with loaded(runtime, model, sample) as other:
                    one.run(list(sample.inputs))
                    self.assert_answers(sample, other.run(list(sample.inputs)))
                one.run(list(sample.inputs))

    def test_tuning_changes_no_answer(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        for sample, model in pairs:
            with loaded(runtime, model, sample, LoadOptions()) as servable:
                servable.tune(list(sample.inputs))
                if servable.stateful:
                    servable.reset()
                self.assert_answers(sample, servable.run(list(sample.inputs)))

    def test_a_free_batch_axis_takes_any_rows(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        """A model may refuse them; what it answers is of the signature's shapes."""
        for sample, model in pairs:
            if sample.signature.batch is BatchAxis.FREE:
                with loaded(runtime, model, sample) as servable:
                    for rows in (0, 1, 2, 7):
                        with suppress(DoesNotFit):
                            _assert_fits(servable, servable.run(_of_rows(sample, rows)))

    def test_rows_that_are_proven_independent_are(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        """Each row of a batch is answered as it is alone."""
        for sample, model in pairs:
            with loaded(runtime, model, sample) as servable:
                if servable.stateful or not _independence(servable, sample).proven:
                    continue
                inputs = _different_rows(sample)
                together = servable.run(inputs)
                for row in range(_SEVERAL):
                    alone = servable.run([array[row : row + 1].copy() for array in inputs])
                    for one, all_rows in zip(alone, together, strict=True):
                        if one.dtype.kind in "fc":
                            np.testing.assert_allclose(
                                one, all_rows[row : row + 1], self.tolerance, self.tolerance
                            )

    def test_a_closed_one_leaves_no_descriptor_open(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        for sample, model in pairs:
            counts = []
            for _ in range(3):
                with loaded(runtime, model, sample) as servable:
                    servable.run(list(sample.inputs))
                del servable
                counts.append(len(os.listdir("/proc/self/fd")))
            assert counts[-1] <= counts[0], f"descriptors: {counts}"

    def test_a_closed_one_leaves_no_thread(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        """But those of a library that all models use."""
        for sample, model in pairs:
            for _ in range(2):
                before = _threads()
                with loaded(runtime, model, sample) as servable:
                    servable.run(list(sample.inputs))
                del servable
            until(partial(_are_gone, before), what="the threads of a model are gone")

    def test_a_model_is_left_as_it_is(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        """Its bytes are what was stored, and nothing is kept beside it."""
        for sample, model in pairs:
            before = _files(model.parent)
            runtime.claim(model, sample.file_name)
            runtime.count_ops(model, sample.params)
            with loaded(runtime, model, sample) as servable:
                servable.tune(list(sample.inputs))
                servable.run(list(sample.inputs))
            assert _files(model.parent) == before

    def test_ops_are_counted_by_their_types(
        self, runtime: Runtime, pairs: list[tuple[ModelSample, Path]]
    ) -> None:
        """None are, if the runtime cannot tell."""
        for sample, model in pairs:
            counts = runtime.count_ops(model, sample.params)
            assert isinstance(counts, dict)
            assert all(type(name) is str and type(n) is int and n > 0 for name, n in counts.items())

    def test_a_damaged_model_is_refused_in_words(
        self, pairs: list[tuple[ModelSample, Path]], tmp_path: Path
    ) -> None:
        """With BadBody or CannotServe. It may load all the same, but ends no process."""
        damaged = [
            (artifact, sample.params)
            for number, (sample, model) in enumerate(pairs)
            for artifact in _damaged(model, tmp_path / f"damaged-{number}")
        ]
        assert apart(wrong_refusals, type(self).make_runtime, damaged) == []


def _threads() -> set[str]:
    return set(os.listdir("/proc/self/task"))


def _are_gone(before: set[str]) -> bool:
    return _threads() <= before


def _files(folder: Path) -> dict[str, bytes]:
    files = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in files}


def _assert_sound(signature: Signature) -> None:
    for specs in (signature.inputs, signature.outputs):
        assert len({spec.name for spec in specs}) == len(specs)
        for spec in specs:
            assert spec.dtype in NUMPY_DTYPES
            if spec.shape is not None and not spec.constant:
                first = spec.shape[:1]
                assert signature.batch is not BatchAxis.FREE or first == (None,), spec
                assert signature.batch is not BatchAxis.ONE or first == (1,), spec


def _assert_fits(servable: Servable, outputs: list[Array]) -> None:
    for spec, output in zip(servable.signature.outputs, outputs, strict=True):
        assert output.dtype == spec.numpy_dtype
        if spec.shape is not None:
            pairs = zip(spec.shape, output.shape, strict=True)
            assert all(size in (None, got) for size, got in pairs), (spec, output.shape)


def _independence(servable: Servable, sample: ModelSample) -> Independence:
    independence = servable.independence()
    assert isinstance(independence, Independence)
    if independence.by_shape:
        assert not independence.proven
        shapes = [array.shape for array in sample.inputs]
        independence = servable.independence([(None, *shape[1:]) for shape in shapes])
    assert independence.proven or independence.reason.isprintable()
    return independence


def _others(sample: ModelSample) -> Iterator[list[Array]]:
    yield list(sample.inputs)
    for change in (np.zeros_like, np.ones_like):
        if all(array.dtype != object for array in sample.inputs):
            yield [change(array) for array in sample.inputs]


def _of_rows(sample: ModelSample, rows: int) -> list[Array]:
    return [np.resize(array, (rows, *array.shape[1:])) for array in sample.inputs]


def _different_rows(sample: ModelSample) -> list[Array]:
    inputs = _of_rows(sample, _SEVERAL)
    for array in inputs:
        if array.dtype.kind == "f":
            scales = np.arange(1, _SEVERAL + 1).reshape(-1, *[1] * (array.ndim - 1))
            array *= scales.astype(array.dtype)
    return inputs


def _damaged(model: Path, folder: Path) -> Iterator[Path]:
    """Copies of a model, in each of which a file is cut, emptied, replaced or missing."""
    files = [model] if model.is_file() else [path for path in model.rglob("*") if path.is_file()]
    for number, file in enumerate(files):
        whole = file.read_bytes()
        for name, content in {
            "empty": b"",
            "cut": whole[: len(whole) // 2],
            "short": whole[:-1],
            "text": b"this is no model\n",
            "reversed": whole[::-1],
        }.items():
            copy = copied(model, folder / f"{name}-{number}")
            (copy / file.relative_to(model) if model.is_dir() else copy).write_bytes(content)
            yield copy
        if model.is_dir():
            copy = copied(model, folder / f"missing-{number}")
            (copy / file.relative_to(model)).unlink()
            yield copy
