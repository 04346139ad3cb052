"""Usual requests: a small PNG is read and answered as all others are, or not at all."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from weakref import ref

import numpy as np
import pytest
from tfaas_plugins.codecs.image import usual_picture
from tfaas_plugins.codecs.image.codec import ImageCodec
from tfaas_plugins.codecs.image.input import ImageInput
from tfaas_plugins.codecs.image.ranking import Ranking
from tfaas_plugins.codecs.image.usual_picture import MOST_BYTES, MOST_PIXELS

from tests.plugins.codecs.image.images import (
    FORM,
    file,
    form,
    gradient,
    images,
    make_codec,
    part,
    picture,
    png_of,
    taking,
)
from tests.plugins.codecs.image.labelled import COLOURS, LABELLED, PNG, f32
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, BatchAxis, TensorSpec, by_name
from tfaas_core.testing.models import model_version

CODEC = make_codec()
GREY = file(picture([[0, 85], [170, 255]]))
SMALL_JPEG = file(gradient(4, 4), "JPEG")
RATE = TensorSpec("rate", "float32", (), default=0.5)
TWO = [TensorSpec("y", "float32", (None, 3)), TensorSpec("z", "int8", (None, 2, 2))]

VERSIONS = {
    "labels": LABELLED,
    "halves": taking(None, 2, 2, 3, labels="abc", outputs=[TensorSpec("y", "float16", (None, 3))]),
    "integers": taking(None, 2, 2, labels="ab", outputs=[TensorSpec("y", "int32", (None, 2))]),
    "numbers": taking(None, 4, image={"scale": "-1-1"}),
    "two outputs": taking(None, None, None, 1, outputs=TWO),
    "one at a time": taking(1, 3, 5, 3, batch=BatchAxis.ONE),
}
BODIES = {
    "a form": (form(part("image", PNG, "é.png"), part("model", "m"), part("top", "2")), FORM),
    "a form without a name": (form(part("image", GREY)), FORM),
    "a picture": (PNG, "image/png"),
    "a picture of no type": (GREY, ""),
}


def sizes_of(spec: TensorSpec) -> list[int]:
    return [size or 0 for size in (spec.shape or ())[1:]]


def outputs_for(version: ModelVersion, rows: int, seed: int) -> list[Array]:
    drawn = np.random.default_rng(seed)
    return [
        drawn.normal(scale=9, size=(rows, *sizes_of(spec))).astype(spec.numpy_dtype)
        for spec in version.signature.outputs
    ]


def check(body: bytes, content_type: str, version: ModelVersion) -> bool:
    """Whether it is as usual; then all is the same as otherwise, beside whatever other rows."""
    head = Head.of_type(content_type)
    usual, plan = CODEC.usual(body, head), CODEC.usual_plan(version)
    inputs = None if usual is None or plan is None else plan.inputs(usual)
    if usual is None or plan is None or inputs is None:
        return False
    document = CODEC.parse(body, head)
    bound = CODEC.bind(document, version)
    assert (bound.rows, bound.whole, usual.model) == (1, False, document.model)
    for array, expected in zip(inputs, bound.arrays.values(), strict=True):
        np.testing.assert_array_equal(array, expected, strict=True)
    run = outputs_for(version, 3, seed=5)
    run[0][1].flat[0] = run[0][1].flat[1]
    for row in range(3):
        own: Sequence[Array] = [output[row : row + 1] for output in run]
        encoded = CODEC.encode(by_name(version.signature, own), bound, document, version)
        assert plan.answer(run, row, row + 1, usual) == encoded.whole()
    return True


@pytest.mark.parametrize("version", VERSIONS.values(), ids=VERSIONS)
@pytest.mark.parametrize("sent", BODIES.values(), ids=BODIES)
def test_a_small_png_is_as_usual(version: ModelVersion, sent: tuple[bytes, str]) -> None:
    assert check(*sent, version)


@pytest.mark.parametrize(
    ("dtype", "scale"),
    [
        *product(("float32", "float16", "float64"), ("none", "0-1", "-1-1")),
        *product(("uint8", "int64"), ("none",)),
    ],
)
@pytest.mark.parametrize(
    ("shape", "mode", "channels"),
    [
        ((7, 9), "L", None),
        ((7, 9, 1), "L", None),
        ((1, 7, 9), "L", None),
        ((64,), "L", 1),
        ((7, 9, 3), "RGB", None),
        ((7, 9, None), "RGB", 3),
        ((192,), "RGB", None),
        ((3, 7, 9), "RGB", None),
        ((7, 9, 4), "RGBA", None),
        ((150, 100, 1), "L", None),
        ((9, 7, 3), "RGB", None),
        ((7, 9, 1), "RGB", None),
        ((7, 9, 3), "RGBA", None),
    ],
)
def test_a_picture_of_the_models_own_size_has_the_same_values(
    shape: tuple[int | None, ...], mode: str, channels: int | None, dtype: str, scale: str
) -> None:
    image = {"scale": scale}
    version = taking(None, *shape, dtype=dtype, image=image, img_channels=channels)
    size = (8, 8) if len(shape) == 1 else (100, 150) if 150 in shape else (9, 7)
    assert check(file(gradient(*size).convert(mode)), "image/png", version)


def test_a_picture_of_the_models_own_size_is_read_by_few_steps(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    version, png = taking(None, 7, 9, 3), file(gradient(9, 7))
    usual, plan = CODEC.usual(png, Head.of_type("image/png")), CODEC.usual_plan(version)
    assert usual is not None
    assert plan is not None
    monkeypatch.setattr(ImageInput, "bind", None)
    assert plan.inputs(usual) is not None


@pytest.mark.parametrize(
    "version",
    [
        taking(None, 3),
        taking(None, dtype="string"),
        taking(2, 2, 3, batch=BatchAxis.NONE),
        taking(None, 2, 2, 3, image={"scale": "odd"}),
        taking(None, 2, 2, 3, outputs=[TensorSpec("y", "float32", (3,), constant=True)]),
        taking(None, 2, 2, 3, outputs=[TensorSpec("y", "float32", (None, None))]),
        taking(None, 2, 2, 3, outputs=[TensorSpec("y", "float32", (None, 10_000))]),
        taking(None, 2, 2, 3, labels="abc", outputs=TWO),
        model_version([TensorSpec("x", "float32", (None, 2, 2, 3)), RATE], TWO[:1]),
    ],
)
def test_other_models_have_no_plan(version: ModelVersion) -> None:
    assert CODEC.usual_plan(version) is None


@pytest.mark.parametrize(
    ("body", "content_type"),
    [
        (b"", "image/png"),
        (PNG[:-1], "image/png"),
        (PNG.replace(b"IDAT", b"IDAX"), "image/png"),
        (SMALL_JPEG, "image/jpeg"),
        (file(gradient(4, 4).convert("P")), "image/png"),
        (file(gradient(MOST_PIXELS, 2)), "image/png"),
        (file(picture(np.random.default_rng(1).integers(0, 255, (90, 99)))), "image/png"),
        (images(PNG, PNG), FORM),
        (form(part("image", PNG, "a.png"), part("version", "1")), FORM),
        (form(part("image", PNG, "a.png"), part("label", "new")), FORM),
        (form(part("image", PNG, "a.png"), part("top", "no")), FORM),
        (form(part("picture", PNG)), FORM),
        (PNG, FORM),
    ],
)
def test_other_bodies_are_not_as_usual(body: bytes, content_type: str) -> None:
    assert CODEC.usual(body, Head.of_type(content_type)) is None


def test_what_is_damaged_or_does_not_fit_is_not_as_usual() -> None:
    damaged = png_of(2, 2, 8, 2, b"too few")
    assert not check(damaged, "image/png", LABELLED)
    strict = taking(None, 3, 3, 3, image={"resize": "off"})
    assert not check(file(picture(COLOURS)), "image/png", strict)


def test_no_more_is_as_usual_than_may_be_decoded_here() -> None:
    head = Head.of_type("image/png")
    assert make_codec(max_pixels=3).usual(PNG, head) is None
    elsewhere = ImageCodec(max_pixels=100, max_images=1, most_here=0)
    elsewhere.use(object())  # type: ignore[arg-type]
    assert elsewhere.usual(PNG, head) is None
    assert len(PNG) < MOST_BYTES


def test_equal_and_missing_numbers_are_ranked_as_in_a_run_of_their_own() -> None:
    plan, usual = CODEC.usual_plan(LABELLED), CODEC.usual(PNG, Head.of_type("image/png"))
    assert plan is not None
    assert usual is not None
    run = [f32([[1, 1, np.nan], [-np.inf, 0.5, 0.5]])]
    answers = [plan.answer(run, row, row + 1, usual) for row in range(2)]
    document = CODEC.parse(PNG, Head.of_type("image/png"))
    bound = CODEC.bind(document, LABELLED)
    assert answers == [
        CODEC.encode({"y": run[0][row : row + 1]}, bound, document, LABELLED).whole()
        for row in range(2)
    ]


def test_a_run_is_ranked_once_and_none_of_the_rows_of_large_batches(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Whatever number of labels each request asks for."""
    ranked: list[int] = []

    class Counted(Ranking):
        def __init__(self, output: Array, labels: Sequence[str]) -> None:
            ranked.append(len(output))
            super().__init__(output, labels)

    monkeypatch.setattr(usual_picture, "Ranking", Counted)
    plan, head = CODEC.usual_plan(LABELLED), Head.of_type(FORM)
    assert plan is not None
    asked = [CODEC.usual(form(part("image", PNG), part("top", top)), head) for top in "123"]
    for rows in (3, 1000):
        run = outputs_for(LABELLED, rows, seed=1)
        answers = [plan.answer(run, row, row + 1, each) for row, each in enumerate(asked) if each]
        assert [answer.count(b'label"') for answer in answers] == [1, 2, 3]
    assert ranked == [3, 1, 1, 1]


def test_nothing_of_a_run_is_kept_whose_last_row_is_anothers() -> None:
    plan, usual = CODEC.usual_plan(LABELLED), CODEC.usual(PNG, Head.of_type("image/png"))
    assert plan is not None
    assert usual is not None
    run = outputs_for(LABELLED, 2, seed=1)
    assert plan.answer(run, 0, 1, usual)
    output = ref(run[0])
    del run
    assert output() is None


@pytest.mark.parametrize(
    ("version", "makes_many"),
    [
        (taking(None, 256, 256, 3), False),
        (taking(None, None, None, 3), False),
        (taking(None, 1024, 1024, 3, image={"resize": "off"}), False),
        (taking(None, 1024, 1024, 3), True),
        (taking(None, 64, None, 3), True),
        (taking(None, None, 64, 3), True),
    ],
)
def test_what_a_model_makes_many_pixels_of_is_bound_in_a_thread(
    version: ModelVersion, makes_many: bool
) -> None:
    """Also by a codec that has seen neither before, and whoever names the model; no others' are."""
    codec = make_codec()
    for sent, content_type in ((PNG, "image/png"), (SMALL_JPEG, "image/jpeg")):
        document = codec.parse(sent, Head.of_type(content_type))
        assert codec.is_heavy(document, version) is makes_many
        assert not codec.is_heavy(document, LABELLED)
    assert (codec.usual_plan(version) is None) is makes_many


def test_several_pictures_are_bound_in_a_thread() -> None:
    """Of a pixel each, say: a model may take them with many."""
    one, several = (CODEC.parse(images(*[PNG] * count), Head.of_type(FORM)) for count in (1, 3))
    assert not CODEC.is_heavy(one, LABELLED)
    assert CODEC.is_heavy(several, LABELLED)
