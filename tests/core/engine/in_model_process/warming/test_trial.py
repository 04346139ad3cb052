from __future__ import annotations

import time
from collections.abc import Callable

import numpy as np
import pytest

from tests.core.engine.in_model_process.warming.verdicts import (
    Run,
    is_mergeable,
    only,
    sums,
)
from tfaas_core.engine.in_model_process.warming.warmup import (
    REFUTED,
    Warmed,
    warm,
)
from tfaas_core.tensors import Array, BatchAxis, TensorSpec
from tfaas_core.testing.function_servable import ROWS_OF_3, FunctionServable


class TestTrial:
    @pytest.mark.parametrize(
        "run",
        [
            lambda rows: np.full((len(rows), 1), len(rows), np.float32),
            lambda rows: rows - rows.mean(axis=0),
            lambda rows: np.cumsum(rows, axis=0),
            lambda rows: rows[::-1],
            lambda rows: rows / (1e-9 + rows.sum()),
            lambda rows: sums(rows) * 1e-6 + 1e-8 * rows.max(),
            lambda rows: rows * (1 + (abs(rows) > 3000).any()),
            lambda rows: rows + (rows < 0).all(),
            lambda rows: rows * (1 + (rows == 0).all(axis=1).any()),
            lambda rows: sums(rows) if len(rows) < 5 else sums(rows)[::-1],
            lambda rows: rows / max(1, len(rows) - 2),
            lambda rows: rows - rows[0] * (sums(rows) < 0),
        ],
        ids=[
            *("count", "centred", "cumulated", "reversed", "normalised"),
            *("small", "where one is large", "where all are negative", "where one is empty"),
            *("of five rows", "of more than three rows", "where a row is negative"),
        ],
    )
    def test_rows_that_change_each_others_answers_are_found_out(self, run: Run) -> None:
        assert not is_mergeable(run)

    def test_rows_of_a_length_are_tried_in_several_lengths(self) -> None:
        free = TensorSpec("x", "float32", (None, None))
        assert is_mergeable(sums, free)
        assert not is_mergeable(lambda x: sums(x) - (x.shape[1] > 5) * x.mean(), free)

    def test_other_last_bits_in_a_bigger_batch_do_not_matter(self) -> None:
        assert is_mergeable(lambda rows: sums(rows) * np.float32(1 + 1e-6 * len(rows)))
        assert not is_mergeable(lambda rows: sums(rows) * np.float32(1 + 1e-2 * len(rows)))

    def test_rounding_where_large_terms_cancel_out_does_not_matter(self) -> None:
        random = np.random.default_rng(3)
        weights = random.normal(size=(3, 1000)).astype(np.float32)

        def cancels(rows: Array) -> Array:
            hidden = rows @ weights
            # Kernels for other numbers of rows add up in another order.
            order = np.argsort(np.sin(len(rows) * np.arange(1000)))
            rounded: Array = hidden[:, order] @ weights.T[order] - rows @ (weights @ weights.T)
            return rounded

        assert is_mergeable(cancels)

    def test_a_saturated_probability_does_not_matter(self) -> None:
        def rest(rows: Array) -> Array:
            noise = np.float32(6e-8 * (len(rows) % 2))
            probability: Array = 1 / (1 + np.exp(-np.clip(sums(rows), -30, 30)))
            saturated: Array = np.float32(1) - probability + noise
            return saturated

        assert is_mergeable(rest)

    def test_all_bits_of_integers_matter(self) -> None:
        assert is_mergeable(lambda rows: np.full((len(rows),), 10**9))
        assert not is_mergeable(lambda rows: np.full((len(rows),), 10**9 + len(rows)))

    def test_but_not_where_rounding_decides_between_them(self) -> None:
        def steps(rows: Array) -> Array:
            total = rows.astype(np.float64).sum(1) * (1 + 1e-9 * len(rows))
            whole: Array = np.floor(total * 1e7).astype(np.int64)
            return whole

        assert is_mergeable(steps, output=TensorSpec("y", "int64", (None,)))

    def test_answers_that_are_no_numbers_are_compared_too(self) -> None:
        assert is_mergeable(lambda rows: np.full((len(rows), 1), np.nan))
        assert not is_mergeable(
            lambda rows: np.full((len(rows), 1), np.nan if len(rows) > 1 else 1.0)
        )

    def test_a_row_that_is_refused_alone_is_answered_otherwise(self) -> None:
        spec = TensorSpec("y", "float32", (None, 1))
        assert not is_mergeable(only(lambda rows: len(rows) > 1), output=spec)

    def test_a_row_whose_answer_has_another_shape_alone_is_answered_otherwise(self) -> None:
        assert not is_mergeable(lambda rows: np.zeros((len(rows), len(rows))))

    def test_strings_are_compared_too(self) -> None:
        words = TensorSpec("words", "string", (None, 1))
        assert is_mergeable(lambda rows: rows + b"!", words)
        assert not is_mergeable(lambda rows: rows + b"!" * len(rows), words)

        def padded(rows: Array) -> Array:
            most = max(map(len, rows[:, 0]))
            return np.array([[len(row)] for row in rows[:, 0]]) - most

        assert not is_mergeable(padded, words)

    def test_each_input_has_its_rows(self) -> None:
        other = TensorSpec("z", "int64", (None,))
        assert is_mergeable(lambda x, z: sums(x)[:, 0] + z, ROWS_OF_3, other)
        assert not is_mergeable(lambda x, z: sums(x) + z.sum(), ROWS_OF_3, other)

    def test_a_constant_output_is_the_same_for_all_rows(self) -> None:
        constant = TensorSpec("names", "float32", (2,), constant=True)
        specs = (TensorSpec("y", "float32", (None, 1)), constant)

        def served(run: Callable[[Array], list[Array]]) -> Warmed:
            return warm(FunctionServable(run, outputs=specs))

        same = served(lambda rows: [sums(rows), np.array([1, 2], np.float32)])
        assert (same.mergeable, same.signature.batch) == (True, BatchAxis.FREE)
        other = served(lambda rows: [sums(rows), np.array([1, len(rows)], np.float32)])
        assert (other.mergeable, other.merge_reason) == (False, REFUTED)

    def test_a_slow_model_is_tried_less(self) -> None:
        def count_runs(pause_s: float) -> int:
            def slow(rows: Array) -> Array:
                time.sleep(pause_s)
                return sums(rows)

            servable = FunctionServable(slow)
            warm(servable)
            return len(servable.runs)

        assert count_runs(0.11) < 15 < count_runs(0)
