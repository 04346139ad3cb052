from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest

from tests.plugins.codecs.image.images import (
    FORM,
    bind,
    form,
    images,
    make_codec,
    part,
    refusal,
    taking,
)
from tests.plugins.codecs.image.labelled import LABELLED, LABELS, PNG, f32
from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Arrays, BatchAxis, Bound, TensorSpec

OUTPUT = TensorSpec("y", "float32", (None, 3))


def answer(
    version: ModelVersion, outputs: Arrays, body: bytes | None = None, count: int = 1
) -> Any:
    codec = make_codec()
    document = codec.parse(body or images(*[PNG] * count), Head.of_type(FORM))
    bound = Bound({}, count if version.signature.batch is not BatchAxis.NONE else 1, count == 1)
    encoded = codec.encode(outputs, bound, document, version)
    assert encoded.media_type == "application/json"
    return orjson.loads(encoded.body)


class TestAnswer:
    def ranked(self, output: Array, **texts: str) -> list[tuple[str, Any]]:
        spec = TensorSpec("y", output.dtype.name, (None, *output.shape[1:]))
        labels = [f"class {number}" for number in range(output.size)]
        version = taking(None, 2, 2, 3, outputs=[spec], labels=labels)
        bind(images(PNG), version)
        got = answer(version, {"y": output}, images(PNG, **texts))
        assert list(got) == ["filename", "labels"]
        assert [list(label) for label in got["labels"]] == [["label", "probability"]] * len(
            got["labels"]
        )
        return [(label["label"][6:], label["probability"]) for label in got["labels"]]

    def test_five_labels_are_answered_best_first(self) -> None:
        got = self.ranked(f32([[0.1, 0.9, 0.3, 0.7, 0.2, 0.8]]))
        assert got == [("1", 0.9), ("5", 0.8), ("3", 0.7), ("2", 0.3), ("4", 0.2)]

    @pytest.mark.parametrize(
        ("top", "count"), [("1", 1), ("3", 3), (" 07 ", 7), ("99", 9), ("9" * 5000, 9)]
    )
    def test_top_asks_for_another_number(self, top: str, count: int) -> None:
        assert len(self.ranked(f32([range(9)]), top=top)) == count

    def test_equals_stay_in_order_and_nan_comes_last_as_null(self) -> None:
        got = self.ranked(f32([[np.nan, 1, -np.inf, 1, np.inf]]))
        assert got == [("4", None), ("1", 1), ("3", 1), ("2", None), ("0", None)]
        equal = self.ranked(np.tile(f32([[0, 1]]), 50), top="100")
        assert [int(label) for label, _ in equal] == [*range(1, 100, 2), *range(0, 100, 2)]

    def test_numbers_have_the_fewest_digits_of_their_dtype(self) -> None:
        for dtype in ("float16", "float32", "float64"):
            assert self.ranked(np.array([[0.1, 0.3]], dtype)) == [("1", 0.3), ("0", 0.1)]

    def test_integers_of_any_size_are_ranked(self) -> None:
        assert self.ranked(np.array([[3, 255, 0]], np.uint8)) == [("1", 255), ("0", 3), ("2", 0)]
        lowest = np.iinfo(np.int64).min
        assert self.ranked(np.array([[lowest, 1]])) == [("1", 1), ("0", lowest)]

    def test_an_output_of_more_axes_is_read_in_order(self) -> None:
        assert self.ranked(f32([[[[1, 2, 3]]]])) == [("2", 3), ("1", 2), ("0", 1)]
        assert self.ranked(f32([7])) == [("0", 7)]

    @pytest.mark.parametrize("shape", [(3,), (1, 3)])
    def test_a_model_of_whole_tensors_has_labels_for_all_of_its_output(
        self, shape: tuple[int, ...]
    ) -> None:
        output = TensorSpec("y", "float32", shape)
        version = taking(2, 2, 3, batch=BatchAxis.NONE, outputs=[output], labels=LABELS)
        bind(images(PNG), version)
        got = answer(version, {"y": f32([1, 3, 2]).reshape(shape)})
        assert [label["label"] for label in got["labels"]] == ["higgs", "top", "qcd"]

    @pytest.mark.parametrize(
        ("sent", "shown"),
        [("C:\\dir\\a.png", "a.png"), ("../../a.png", "a.png"), ("é\t.png", "é.png"), ("", "")],
    )
    def test_the_file_name_is_the_clients_without_folders(self, sent: str, shown: str) -> None:
        body = form(part("image", PNG, sent))
        assert answer(LABELLED, {"y": f32([[1, 2, 3]])}, body)["filename"] == shown

    def test_a_picture_that_is_the_whole_body_has_no_file_name(self) -> None:
        codec = make_codec()
        document = codec.parse(PNG, Head.of_type("image/png"))
        encoded = codec.encode({"y": f32([[1, 2, 3]])}, Bound({}, 1, True), document, LABELLED)
        assert orjson.loads(encoded.body)["filename"] == ""

    def test_without_labels_each_picture_has_its_outputs_by_name(self) -> None:
        specs = [OUTPUT, TensorSpec("z", "float32", (None,))]
        version = taking(None, 2, 2, 3, outputs=specs)
        outputs = {"y": f32([[1, 2, 3], [4, 5, 6]]), "z": f32([7, 8])}
        assert answer(version, outputs, count=2) == [
            {"y": [1, 2, 3], "z": [7]},
            {"y": [4, 5, 6], "z": [8]},
        ]

    @pytest.mark.parametrize("output", [OUTPUT, TensorSpec("y", "float32", (None,))])
    def test_where_the_model_answers_no_row_there_are_no_labels(self, output: TensorSpec) -> None:
        version = taking(None, 2, 2, 3, outputs=[OUTPUT], labels=LABELS)
        nothing = {"y": f32(np.zeros((0, *(output.shape or ())[1:])))}
        assert answer(version, nothing) == {"filename": "0.png", "labels": []}
        assert answer(version, nothing, count=2) == [
            {"filename": "0.png", "labels": []},
            {"filename": "1.png", "labels": []},
        ]

    def test_rows_that_are_no_pictures_have_no_labels_either(self) -> None:
        version = taking(None, 2, 2, 3, outputs=[OUTPUT], labels=LABELS)
        with pytest.raises(DoesNotFit, match=r"3 labels, but answers 2 rows for 1 picture$"):
            answer(version, {"y": f32([[1, 2, 3]] * 2)})
        with pytest.raises(DoesNotFit, match="3 labels, but answers 1 row for 2 pictures"):
            answer(version, {"y": f32([[1, 2, 3]])}, count=2)

    def test_without_labels_all_rows_are_answered_however_many_they_are(self) -> None:
        version = taking(None, 2, 2, 3, outputs=[OUTPUT])
        for rows in (0, 2, 3):
            found = f32([[1, 2, 3]] * rows or np.zeros((0, 3)))
            assert answer(version, {"y": found}) == [[1, 2, 3]] * rows
            assert answer(version, {"y": found}, count=2) == [[1, 2, 3]] * rows
        assert answer(version, {"y": f32([[1, 2, 3]])}, count=2) == [[1, 2, 3]]

    def test_constant_outputs_stand_beside_those_of_a_picture(self) -> None:
        constant = TensorSpec("table", "float32", (2,), constant=True)
        version = taking(None, 2, 2, 3, outputs=[constant, OUTPUT])
        outputs = {"table": f32([7, 8]), "y": f32([[1, 2, 3], [4, 5, 6]])}
        one = {**outputs, "y": outputs["y"][:1]}
        assert answer(version, one) == {"table": [7, 8], "y": [1, 2, 3]}
        assert answer(version, outputs, count=2) == [
            {"table": [7, 8], "y": [1, 2, 3]},
            {"table": [7, 8], "y": [4, 5, 6]},
        ]
        labelled = taking(None, 2, 2, 3, outputs=[constant, OUTPUT], labels=LABELS)
        bind(images(PNG), labelled)
        assert answer(labelled, one)["labels"][0] == {"label": "top", "probability": 3}

    @pytest.mark.parametrize(
        ("outputs", "words"),
        [
            ([TensorSpec("y", "string", (None, 3))], "3 labels, but answers string [?, 3]"),
            ([OUTPUT, TensorSpec("z", "float32", (None, 3))], "3 labels, but has 2 outputs"),
        ],
    )
    def test_labels_that_do_not_fit_the_outputs_are_refused_before_the_model_runs(
        self, outputs: list[TensorSpec], words: str
    ) -> None:
        version = taking(None, 2, 2, 3, outputs=outputs, labels=LABELS)
        error = refusal(DoesNotFit, images(PNG), version)
        assert words in error.message
        assert error.details["field"] == "labels"

    @pytest.mark.parametrize("known", [True, False])
    @pytest.mark.parametrize("count", [1, 2])
    @pytest.mark.parametrize(
        ("row", "found"),
        [
            ([1, 2, 3, 9], [("qcd", 3), ("top", 2), ("higgs", 1)]),
            ([1, 2], [("top", 2), ("higgs", 1)]),
            ([1], [("higgs", 1)]),
        ],
    )
    def test_of_labels_and_numbers_that_are_not_as_many_those_are_answered_that_have_both(
        self, row: list[float], found: list[tuple[str, float]], count: int, known: bool
    ) -> None:
        shape = (None, len(row)) if known else None
        spec = TensorSpec("y", "float32", shape)
        version = taking(None, 2, 2, 3, outputs=[spec], labels=["higgs", "top", "qcd"])
        bind(images(PNG), version)
        got = answer(version, {"y": f32([row] * count)}, count=count)
        for each in got if count > 1 else [got]:
            assert [(label["label"], label["probability"]) for label in each["labels"]] == found
