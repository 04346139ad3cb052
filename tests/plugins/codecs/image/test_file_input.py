"""Pictures for models that decode them themselves."""

from __future__ import annotations

import numpy as np
import pytest

from tests.plugins.codecs.image.images import (
    FORM,
    bind,
    file,
    gradient,
    images,
    make_codec,
    misfit,
    refusal,
    taking,
)
from tfaas_core.errors import BadBody, DoesNotFit, TooLarge
from tfaas_core.route import Head
from tfaas_core.tensors import BatchAxis, TensorSpec
from tfaas_core.testing.models import model_version

PNG = file(gradient(6, 5))
JPEG = file(gradient(40, 30), "JPEG", exif=b"Exif\0\0MM\0*\0\0\0\x08\0\0\0\0\0\0")
TAKING = taking(None, dtype="string")


@pytest.mark.parametrize("data", [PNG, JPEG])
@pytest.mark.parametrize(
    ("shape", "batch", "taken"),
    [
        ((None,), BatchAxis.FREE, (1,)),
        ((None, 1), BatchAxis.FREE, (1, 1)),
        ((1,), BatchAxis.ONE, (1,)),
        ((), BatchAxis.NONE, ()),
        ((1,), BatchAxis.NONE, (1,)),
        ((None,), BatchAxis.NONE, (1,)),
    ],
)
def test_one_picture_is_taken_as_it_is(
    data: bytes, shape: tuple[int | None, ...], batch: BatchAxis, taken: tuple[int, ...]
) -> None:
    version = taking(*shape, dtype="string", batch=batch)
    for body, content_type in ((images(data), FORM), (data, "image/png")):
        bound = bind(body, version, content_type=content_type)
        assert (bound.rows, bound.single) == (1, True)
        assert bound.arrays["x"].shape == taken
        assert bound.arrays["x"].reshape(-1).tolist() == [data]


def test_several_pictures_are_a_batch_whatever_their_sizes_and_formats() -> None:
    bound = bind(images(PNG, JPEG, PNG), TAKING)
    assert (bound.rows, bound.single) == (3, False)
    np.testing.assert_array_equal(bound.arrays["x"], np.array([PNG, JPEG, PNG], object))


def test_a_model_without_a_batch_axis_takes_one_at_a_time() -> None:
    version = taking(None, dtype="string", batch=BatchAxis.NONE)
    message = refusal(DoesNotFit, images(PNG, PNG), version).message
    assert message == "the form has 2 images, model 'vk' takes one at a time"


def test_other_inputs_may_have_defaults() -> None:
    specs = [TensorSpec("k", "int32", (), default=5), TensorSpec("x", "string", (None,))]
    codec = make_codec()
    bound = codec.bind(codec.parse(images(PNG), Head.of_type(FORM)), model_version(specs))
    assert list(bound.arrays) == ["x"]


def test_one_of_several_inputs_is_not_enough() -> None:
    specs = [TensorSpec("k", "int32", (None,)), TensorSpec("x", "string", (None,))]
    assert "takes not one picture" in misfit(PNG, model_version(specs))


@pytest.mark.parametrize("data", [PNG[:-30], JPEG[:-200], JPEG[:300]])
def test_a_damaged_picture_is_refused(data: bytes) -> None:
    refusal(BadBody, images(data), TAKING)


def test_what_is_no_picture_is_refused() -> None:
    assert "GIF" in refusal(BadBody, images(file(gradient(4, 4), "GIF")), TAKING).message


def test_the_limit_of_pixels_holds() -> None:
    refusal(TooLarge, images(file(gradient(1001, 1000))), TAKING)


@pytest.mark.parametrize("shape", [(None, 2), (None, None), (None, 1, 1)])
def test_several_strings_are_not_a_picture(shape: tuple[int | None, ...]) -> None:
    message = misfit(PNG, taking(*shape, dtype="string"))
    assert message.endswith("which is not one string for a picture")


@pytest.mark.parametrize(
    ("key", "value"),
    [("scale", "0-1"), ("scale", "-1-1"), ("resize", "bilinear"), ("resize", "nearest")],
)
def test_params_that_would_change_the_picture_are_refused(key: str, value: str) -> None:
    assert misfit(PNG, taking(None, dtype="string", image={key: value})) == (
        f"params.image.{key} of model 'vk' is {value!r}, but the model takes the bytes of "
        "pictures, which stay as they are; leave it out"
    )


def test_params_that_would_not_are_no_matter() -> None:
    version = taking(None, dtype="string", image={"scale": "none", "resize": "off"})
    assert bind(images(PNG), version).rows == 1
    assert "one of" in misfit(PNG, taking(None, dtype="string", image={"scale": "?"}))
