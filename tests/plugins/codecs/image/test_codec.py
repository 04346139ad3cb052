from __future__ import annotations

from typing import Any, ClassVar

import numpy as np
import orjson
import pytest
from tfaas_plugins.codecs.image import tfaas_register_codecs

from tests.plugins.codecs.image.images import (
    FORM,
    bind,
    file,
    form,
    gradient,
    images,
    make_codec,
    part,
    picture,
    refusal,
    taking,
)
from tfaas_core.config import Config, EngineTable, Limits
from tfaas_core.errors import BadBody, DoesNotFit, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, Arrays, BatchAxis, Bound, TensorSpec
from tfaas_core.testing.codec import CodecContract, Sample

COLOURS = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], [1, 2, 3]]]
GREY = [[0, 85], [170, 255]]
PNG = file(picture(COLOURS))
LABELS = ("qcd", "higgs", "top")
LABELLED = taking(None, 2, 2, 3, labels=LABELS)
OUTPUT = TensorSpec("y", "float32", (None, 3))


def f32(values: Any) -> Array:
    return np.array(values, np.float32)


class TestContract(CodecContract):
    make_codec = staticmethod(make_codec)
    samples: ClassVar[list[Sample]] = [
        Sample(
            form(part("image", PNG, "file.png"), part("model", "ImageModel")),
            LABELLED,
            Bound({"x": f32([COLOURS])}, 1, True),
            {"y": f32([[2.815438e-08, 1, 0.5]])},
            b'{"filename":"file.png","labels":[{"label":"higgs","probability":1.0},'
            b'{"label":"top","probability":0.5},{"label":"qcd","probability":2.815438e-8}]}',
            FORM,
        ),
        Sample(
            form(part("image", PNG, "a.png"), part("image", PNG, "b.png"), part("top", "1")),
            LABELLED,
            Bound({"x": f32([COLOURS, COLOURS])}, 2, False),
            {"y": f32([[0, 1, 2], [np.nan, -np.inf, -1]])},
            b'[{"filename":"a.png","labels":[{"label":"top","probability":2.0}]},'
            b'{"filename":"b.png","labels":[{"label":"top","probability":-1.0}]}]',
            FORM,
        ),
        Sample(
            images(file(picture(GREY)), file(picture(GREY))),
            taking(None, 4, image={"scale": "0-1"}),
            Bound({"x": f32([[0, 85, 170, 255]] * 2) / 255}, 2, False),
            {"y": f32([[1, 2, 3], [4, 5, np.nan]])},
            b"[[1.0,2.0,3.0],[4.0,5.0,null]]",
            FORM,
        ),
        Sample(
            file(picture(GREY)),
            taking(None, None, None, 1, dtype="uint8"),
            Bound({"x": np.array([[[[0], [85]], [[170], [255]]]], np.uint8)}, 1, True),
            {"y": f32([[1, 2, 3]])},
            b"[1.0,2.0,3.0]",
            "image/png",
        ),
        Sample(
            file(picture(np.full((9, 8), 128)), "JPEG"),
            taking(9, 8, batch=BatchAxis.NONE, outputs=[TensorSpec("y", "float32", (2,))]),
            Bound({"x": np.full((9, 8), 128, np.float32)}, 1, True),
            {"y": f32([1, 2])},
            b"[1.0,2.0]",
            "application/octet-stream",
        ),
        Sample(
            images(PNG, PNG),
            taking(None, dtype="string"),
            Bound({"x": np.array([PNG, PNG], object)}, 2, False),
            {"y": f32([[1, 2, 3], [4, 5, 6]])},
            b"[[1.0,2.0,3.0],[4.0,5.0,6.0]]",
            FORM,
        ),
    ]
    spells_no_rows = False


def test_the_plugin_registers_the_codec_with_the_configured_limits() -> None:
    config = Config(limits=Limits(max_image_pixels=7), engine=EngineTable(max_queue_rows=1))
    (codec,) = tfaas_register_codecs(config)
    assert codec.name == "image"
    assert codec.media_types == (
        *("multipart/form-data", "image/png", "image/jpeg", "application/octet-stream"),
    )
    refusal(TooLarge, images(PNG, PNG), codec=codec)
    codec.parse(images(PNG), Head.of_type(FORM))
    refusal(TooLarge, images(file(gradient(2, 4))), codec=codec)


class TestForm:
    @pytest.mark.parametrize(
        ("texts", "model"),
        [
            ({}, None),
            ({"model": "vk"}, "vk"),
            ({"name": "vk"}, "vk"),
            ({"name": "other", "model": "vk"}, "vk"),
            ({"model": "", "name": "vk"}, "vk"),
            ({"model": ""}, None),
            ({"model": "größe"}, "größe"),
        ],
    )
    def test_the_model_is_read_from_model_or_else_name(
        self, texts: dict[str, str], model: str | None
    ) -> None:
        assert make_codec().parse(images(PNG, **texts), Head.of_type(FORM)).model == model

    @pytest.mark.parametrize(
        ("texts", "version", "label"),
        [
            ({}, None, None),
            ({"version": "3"}, 3, None),
            ({"version": " 3\n"}, 3, None),
            ({"label": "canary"}, None, "canary"),
            ({"version": "", "label": ""}, None, None),
            ({"version": "3", "label": "canary"}, 3, "canary"),
        ],
    )
    def test_the_version_is_read_as_a_number_or_a_label(
        self, texts: dict[str, str], version: int | None, label: str | None
    ) -> None:
        document = make_codec().parse(images(PNG, **texts), Head.of_type(FORM))
        assert (document.version, document.label) == (version, label)

    @pytest.mark.parametrize(
        "version", ["0", "-1", "1.0", "x", "03", "1e3", "\u0663", "1_0", "2147483648", "9" * 9999]
    )
    def test_a_version_is_a_number(self, version: str) -> None:
        error = refusal(DoesNotFit, images(PNG, version=version))
        assert error.details["field"] == "version"

    @pytest.mark.parametrize(
        "content_type",
        ["", "image/png", "image/jpeg", "application/octet-stream", "application/x-www-form"],
    )
    def test_any_other_body_is_one_picture_for_the_default_model(self, content_type: str) -> None:
        document = make_codec().parse(PNG, Head.of_type(content_type))
        assert document.model is None
        assert bind(PNG, LABELLED, content_type=content_type).arrays["x"].tolist() == [COLOURS]

    def test_a_picture_sent_as_text_is_a_picture(self) -> None:
        assert bind(form(part("image", PNG)), LABELLED).arrays["x"].tolist() == [COLOURS]

    def test_the_boundary_may_be_spelt_as_clients_do(self) -> None:
        for content_type in (FORM.replace("=", '="') + '"', FORM.replace("m", "M", 1)):
            assert bind(images(PNG), LABELLED, content_type=content_type).rows == 1

    def test_texts_that_nobody_asked_for_are_ignored(self) -> None:
        others = [part("op", "x"), part("op", b"\xff"), part("", "x" * 65_536)]
        document = make_codec().parse(
            form(*others, part("image", PNG, "a.png"), part("model", "vk")), Head.of_type(FORM)
        )
        assert (document.model, len(document.pictures)) == ("vk", 1)

    @pytest.mark.parametrize(
        ("body", "field"),
        [
            (form(part("image", PNG, "a.png"), part("Model", "vk")), "Model"),
            (form(part("Image", PNG, "a.png")), "Image"),
            (form(part("image", PNG, "a.png"), part("x" * 99, "", "x.txt")), "x" * 80),
            (form(part("file", PNG, "a.png")), "file"),
            (form(*[part("op", "")] * 101, part("image", PNG, "a.png")), "op"),
            (form(part("op", "x" * 65_537), part("image", PNG, "a.png")), "op"),
            (form(part("model", "a"), part("image", PNG, "a.png"), part("model", "a")), "model"),
            (form(part("top", "1"), part("top", "2"), part("image", PNG, "a.png")), "top"),
            (form(*[part("label", "a")] * 2, part("image", PNG, "a.png")), "label"),
            (form(part("version", "1", "a.txt"), part("image", PNG, "a.png")), "version"),
            (form(part("model", "vk", "vk.txt"), part("image", PNG, "a.png")), "model"),
            (form(part("model", b"\xff"), part("image", PNG, "a.png")), "model"),
            (form(part("name", "x" * 65_537), part("image", PNG, "a.png")), "name"),
            (form(part("model", "vk")), "image"),
            (form(part("image", b"", "a.png")), "image"),
            (form(part("image", PNG, "a.png"), part("image", b"", "b.png")), "image"),
            (form(part("image", PNG, "a", "Content-Transfer-Encoding: base64\r\n")), "image"),
            (form(part("image", "file.png")), "image"),
        ],
    )
    def test_what_the_form_lacks_or_should_not_have_is_named(self, body: bytes, field: str) -> None:
        error = refusal(BadBody, body)
        assert error.details["field"] == field
        assert field in error.message

    @pytest.mark.parametrize(
        ("body", "content_type"),
        [
            (b"", FORM),
            (images(PNG)[:-30], FORM),
            (PNG, FORM),
            (images(PNG), "multipart/form-data"),
            (images(PNG), FORM + "X"),
            (b"", "image/png"),
            (b"", ""),
        ],
    )
    def test_a_broken_body_is_a_bad_body(self, body: bytes, content_type: str) -> None:
        refusal(BadBody, body, content_type=content_type)

    @pytest.mark.parametrize("top", ["0", "", "-1", "1.0", "x", "1e3", "\u0663", "1_0"])
    def test_top_is_a_count(self, top: str) -> None:
        error = refusal(DoesNotFit, images(PNG, top=top))
        assert error.details["field"] == "top"

    def test_more_images_than_may_wait_are_refused_before_one_is_looked_at(self) -> None:
        error = refusal(TooLarge, images(b"1", b"2", b"3"), codec=make_codec(max_images=2))
        assert "engine.max_queue_rows" in error.message
        assert error.details["expected"] == 2
        assert bind(images(PNG, PNG), LABELLED, make_codec(max_images=2)).rows == 2


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
