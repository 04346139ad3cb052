from __future__ import annotations

from typing import ClassVar

import numpy as np
from tfaas_plugins.codecs.image import tfaas_register_codecs

from tests.plugins.codecs.image.images import (
    FORM,
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
from tests.plugins.codecs.image.labelled import COLOURS, LABELLED, PNG, f32
from tfaas_core.config import Config
from tfaas_core.errors import TooLarge
from tfaas_core.route import Head
from tfaas_core.settings.tables import EngineTable, Limits
from tfaas_core.tensors import BatchAxis, Bound, TensorSpec
from tfaas_core.testing.codec import CodecContract, Sample

GREY = [[0, 85], [170, 255]]


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
    spells_nan = False


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
