"""Pictures made to fit a model's input, through the image codec."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from PIL import Image

from tests.plugins.codecs.image.images import (
    bind,
    file,
    gradient,
    images,
    make_codec,
    misfit,
    picture,
    refusal,
    row,
    taking,
)
from tfaas_core.errors import DoesNotFit, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import BatchAxis, TensorSpec
from tfaas_core.testing.models import model_version

COLOURS = np.arange(12, dtype=np.uint8).reshape(2, 2, 3) * 20
GREY = np.array([[0, 10], [20, 30]], np.uint8)
COLOURED, GREYISH = file(picture(COLOURS)), file(picture(GREY))


class TestShapes:
    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            (taking(None, 2, 2, 1), GREY[..., None]),
            (taking(None, 1, 2, 2), GREY[None]),
            (taking(None, 1, None, None), GREY[None]),
            (taking(None, 2, 2), GREY),
            (taking(None, None, None), GREY),
            (taking(None, 4), GREY.reshape(4)),
            (taking(None, 2, 2, None, img_channels=1), GREY[..., None]),
            (taking(1, 2, 2, 1, batch=BatchAxis.ONE), GREY[..., None]),
        ],
        ids=lambda value: str(value.signature.inputs[0]) if hasattr(value, "signature") else "",
    )
    def test_grey_fits_these(self, version: ModelVersion, expected: Any) -> None:
        np.testing.assert_array_equal(row(GREYISH, version), expected.astype(np.float32))

    @pytest.mark.parametrize(
        ("version", "expected"),
        [
            (taking(None, 2, 2, 3), COLOURS),
            (taking(None, None, None, 3), COLOURS),
            (taking(None, 3, 2, 2), COLOURS.transpose(2, 0, 1)),
            (taking(None, 3, None, None), COLOURS.transpose(2, 0, 1)),
            (taking(None, 12), COLOURS.reshape(12)),
            (taking(None, 12, img_channels=3), COLOURS.reshape(12)),
            (taking(None, None, None, None, img_channels=3), COLOURS),
            (taking(None, 2, 2, 3, img_channels=3), COLOURS),
            (taking(None, 2, 2, 3, img_channels=0), COLOURS),
        ],
        ids=lambda value: str(value.signature.inputs[0]) if hasattr(value, "signature") else "",
    )
    def test_colours_fit_these(self, version: ModelVersion, expected: Any) -> None:
        np.testing.assert_array_equal(row(COLOURED, version), expected.astype(np.float32))

    @pytest.mark.parametrize(
        "version", [taking(None, 2, 2, 4), taking(None, 16, img_channels=4)], ids=["axes", "flat"]
    )
    def test_colours_and_alpha_fit_four_channels(self, version: ModelVersion) -> None:
        expected = np.dstack([COLOURS, np.full((2, 2), 255)])
        np.testing.assert_array_equal(row(COLOURED, version).reshape(2, 2, 4), expected)

    def test_where_both_ends_may_be_channels_they_are_the_last_axis(self) -> None:
        assert row(file(gradient(4, 3)), taking(None, 3, 4, 4)).shape == (3, 4, 4)
        assert row(file(gradient(4, 4)), taking(None, 3, 4, 4, img_channels=3)).shape == (3, 4, 4)
        turned = row(file(gradient(4, 4)), taking(None, 3, 4, 4, img_channels=3))
        np.testing.assert_array_equal(turned, np.asarray(gradient(4, 4)).transpose(2, 0, 1))

    @pytest.mark.parametrize(
        ("shape", "expected"),
        [((2, 2, 3), (2, 2, 3)), ((1, 2, 2, 3), (1, 2, 2, 3)), ((None, 2, 2, 3), (1, 2, 2, 3))],
    )
    def test_a_model_of_whole_tensors_takes_one_picture(
        self, shape: tuple[int | None, ...], expected: tuple[int, ...]
    ) -> None:
        version = taking(*shape, batch=BatchAxis.NONE)
        bound = bind(images(COLOURED), version)
        assert (bound.rows, bound.single) == (1, True)
        np.testing.assert_array_equal(bound.arrays["x"], COLOURS.reshape(expected))
        error = refusal(DoesNotFit, images(COLOURED, COLOURED), version)
        assert "2 images" in error.message

    @pytest.mark.parametrize(
        "version",
        [
            taking(None),
            taking(None, None),
            taking(None, 1),
            taking(None, 3),
            taking(None, 80),
            taking(None, 130, 1),
            taking(None, 28, 28, 2),
            taking(None, 0, 28, 3),
            taking(None, None, None, None),
            taking(None, 2, 2, 3, 1),
            taking(None, 28, 28, img_channels=3),
            taking(None, 28, 28, 1, img_channels=3),
            taking(None, 784, img_channels=3),
            taking(None, 2, 28, 28, 3, batch=BatchAxis.NONE),
            taking(2, 28, 28, 3, batch=BatchAxis.NONE),
            model_version([TensorSpec("x", "float32", None)], batch=BatchAxis.NONE),
        ],
        ids=lambda version: str(version.signature.inputs[0]),
    )
    def test_other_shapes_are_said_to_be_no_picture(self, version: ModelVersion) -> None:
        message = misfit(COLOURED, version)
        assert f"takes {version.signature.inputs[0]}, which is not a picture's" in message
        assert ("params.img_channels" in message) == ("img_channels" in version.params)

    def test_a_model_of_several_inputs_is_said_to_take_them(self) -> None:
        spec = TensorSpec("x", "float32", (None, 2, 2, 3))
        message = misfit(COLOURED, model_version([spec, TensorSpec("y", "int32", (None,))]))
        assert "'x' (float32 [?, 2, 2, 3]), 'y' (int32 [?])" in message


class TestSizes:
    WIDE = file(gradient(30, 20))

    @pytest.mark.parametrize(
        ("params", "filter"),
        [
            ({}, Image.Resampling.BILINEAR),
            ({"image": {"resize": "bilinear"}}, Image.Resampling.BILINEAR),
            ({"image": {"resize": "nearest"}}, Image.Resampling.NEAREST),
        ],
    )
    def test_a_picture_is_resized_to_a_fixed_size(self, params: Any, filter: Any) -> None:
        expected = np.asarray(gradient(30, 20).resize((7, 11), filter))
        np.testing.assert_array_equal(row(self.WIDE, taking(None, 11, 7, 3, **params)), expected)

    def test_a_half_of_each_side_is_the_mean_of_neighbours_or_one_of_them(self) -> None:
        data = file(picture([[0, 100], [40, 60]]).resize((4, 4), Image.Resampling.NEAREST))
        assert row(data, taking(None, 1, 1, 1)).tolist() == [[[50]]]
        nearest = row(data, taking(None, 2, 2, image={"resize": "nearest"}))
        assert nearest.tolist() == [[0, 100], [40, 60]]

    def test_alpha_is_resized_without_the_colours_that_nobody_sees(self) -> None:
        data = file(picture([[[255, 0, 0, 255], [0, 255, 0, 0]]]))
        assert row(data, taking(None, 1, 1, 4)).tolist() == [[[255, 0, 0, 128]]]

    @pytest.mark.parametrize("shape", [(None, 20, 31, 3), (None, 19, 30, 3), (None, 19, None, 3)])
    def test_with_resizing_off_another_size_is_refused_with_both(self, shape: Any) -> None:
        message = misfit(self.WIDE, taking(*shape, image={"resize": "off"}))
        assert "30 x 20 pixels" in message
        assert f"takes {shape[2] or 'any'} x {shape[1]}" in message

    @pytest.mark.parametrize("shape", [(None, 20, 30, 3), (None, 20, None, 3), (None,) * 3 + (3,)])
    def test_with_resizing_off_the_right_size_is_taken_as_it_is(self, shape: Any) -> None:
        version = taking(*shape, image={"resize": "off"})
        np.testing.assert_array_equal(row(self.WIDE, version), np.asarray(gradient(30, 20)))

    def test_a_free_side_keeps_the_proportions_of_the_picture(self) -> None:
        assert row(self.WIDE, taking(None, 10, None, 3)).shape == (10, 15, 3)
        assert row(self.WIDE, taking(None, None, 10, 3)).shape == (7, 10, 3)
        assert row(file(gradient(90, 1)), taking(None, None, 3, 1)).shape == (1, 3, 1)

    def test_a_free_side_cannot_be_made_to_grow_beyond_the_limit(self) -> None:
        codec = make_codec(max_pixels=1000)
        body = images(file(gradient(500, 1)))
        refusal(TooLarge, body, taking(None, 50, None, 3), codec=codec)

    def test_the_pictures_of_a_batch_are_of_one_size(self) -> None:
        free = taking(None, None, None, 3)
        assert bind(images(self.WIDE, self.WIDE), free).arrays["x"].shape == (2, 20, 30, 3)
        body = images(self.WIDE, self.WIDE, file(gradient(20, 30)))
        message = refusal(DoesNotFit, body, free).message
        assert "image 1 of 3 is 30 x 20 pixels" in message
        assert "image 3 of 3 is 20 x 30" in message
        assert bind(body, taking(None, 5, 6, 3)).arrays["x"].shape == (3, 5, 6, 3)

    def test_the_order_of_a_batch_is_that_of_the_form(self) -> None:
        shades = [file(Image.new("L", (2, 2), shade)) for shade in (3, 1, 2)]
        bound = bind(images(*shades), taking(None, 1, 1, 1))
        assert bound.arrays["x"].ravel().tolist() == [3, 1, 2]
        assert (bound.rows, bound.single) == (3, False)


class TestValues:
    @pytest.mark.parametrize("dtype", ["float16", "float32", "float64"])
    @pytest.mark.parametrize(
        ("params", "expected"),
        [
            ({}, [0, 51, 255]),
            ({"image": {}}, [0, 51, 255]),
            ({"image": None}, [0, 51, 255]),
            ({"image": {"scale": "none", "other": 1}}, [0, 51, 255]),
            ({"image": {"scale": "0-1"}}, [0, 0.2, 1]),
            ({"image": {"scale": "-1-1"}}, [-1, -0.6, 1]),
        ],
    )
    def test_floats_are_scaled_as_the_params_say(
        self, dtype: str, params: Any, expected: list[float]
    ) -> None:
        data = file(picture([[0, 51, 255]]))
        got = row(data, taking(None, None, None, 1, dtype=dtype, **params)).ravel()
        assert got.dtype == dtype
        np.testing.assert_allclose(got, expected, rtol=float(np.finfo(dtype).eps))

    @pytest.mark.parametrize("dtype", ["uint8", "int16", "uint16", "int32", "uint32", "int64"])
    def test_integers_are_given_as_they_are(self, dtype: str) -> None:
        got = row(file(picture([[0, 200, 255]])), taking(None, None, None, 1, dtype=dtype))
        assert got.dtype == dtype
        assert got.ravel().tolist() == [0, 200, 255]
        scaled = taking(None, None, None, 1, dtype=dtype, image={"scale": "0-1"})
        assert f"'0-1', but the model takes {dtype}" in misfit(GREYISH, scaled)

    @pytest.mark.parametrize("dtype", ["int8", "bool", "string", "complex64"])
    def test_dtypes_that_cannot_hold_a_picture_are_refused(self, dtype: str) -> None:
        assert f"takes {dtype} [?, 2, 2, 1]" in misfit(GREYISH, taking(None, 2, 2, 1, dtype=dtype))

    @pytest.mark.parametrize(
        ("params", "words"),
        [
            ({"image": {"scale": "0..1"}}, "params.image.scale of model 'vk' is '0..1'"),
            ({"image": {"scale": None}}, "'none', '0-1', '-1-1'"),
            ({"image": {"resize": True}}, "'bilinear', 'nearest', 'off'"),
            ({"image": {"resize": ["off"]}}, "params.image.resize of model 'vk' is ['off']"),
            ({"image": {"resize": "\n" * 999}}, "params.image.resize"),
            ({"image": {"reduce": True}}, "params.image.reduce of model 'vk' is True"),
            ({"image": "off"}, "params.image of model 'vk' is 'off', it should be an object"),
            ({"img_channels": 2}, "params.img_channels of model 'vk' is 2"),
            ({"img_channels": "3"}, "params.img_channels of model 'vk' is '3'"),
            ({"img_channels": True}, "params.img_channels"),
            ({"img_channels": 3.0}, "params.img_channels"),
        ],
    )
    def test_wrong_params_are_named(self, params: Any, words: str) -> None:
        error = refusal(DoesNotFit, images(GREYISH), taking(None, 2, 2, 1, **params))
        assert words in error.message
        fields = ("image", "image.scale", "image.resize", "image.reduce", "img_channels")
        assert error.details["field"] in fields


def test_versions_are_told_apart_however_many_there_are() -> None:
    codec = make_codec()
    for side in range(2, 600):
        bound = bind(images(GREYISH), taking(None, side % 9 + 1, 1, 1), codec)
        assert bound.arrays["x"].shape == (1, side % 9 + 1, 1, 1)
