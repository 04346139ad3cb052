from __future__ import annotations

from typing import Any

import numpy as np
import orjson
from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from PIL import ExifTags, Image

from tests.plugins.codecs.image.images import (
    FORM,
    chunk,
    file,
    form,
    gradient,
    images,
    make_codec,
    part,
    taking,
)
from tests.plugins.codecs.outcomes import outcome_of
from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import NUMPY_DTYPES, Array, BatchAxis, Bound, TensorSpec
from tfaas_core.testing.tries import tries

settings.register_profile("codec", max_examples=tries(100))
fuzz = settings.get_profile("codec")

SIGNALLING_NAN = 0x7F80_0001
ORIENTATION = Image.Exif()
ORIENTATION[ExifTags.Base.Orientation] = 6
ORIENTATION[ExifTags.Base.Make] = "nobody"
FILES = [
    *(file(gradient(6, 5).convert(mode)) for mode in ("1", "L", "LA", "P", "RGB", "RGBA", "I;16")),
    file(gradient(6, 5), exif=ORIENTATION, icc_profile=b"profile", transparency=(0, 0, 255)),
    file(gradient(6, 5), save_all=True, append_images=[gradient(6, 5).rotate(180)]),
    *(file(gradient(40, 30).convert(mode), "JPEG") for mode in ("L", "RGB", "CMYK")),
    file(gradient(40, 30), "JPEG", progressive=True, exif=ORIENTATION, icc_profile=b"profile"),
    *(file(gradient(4, 4), format) for format in ("GIF", "BMP", "TIFF")),
]
VERSIONS = [
    taking(None, None, None, 3),
    taking(None, 4, 5, 1, image={"resize": "nearest", "scale": "-1-1"}),
    taking(None, 4, None, None, dtype="uint8"),
    taking(None, 5, 6, 4, image={"resize": "off"}),
    taking(None, 2, 2, labels=["a", "b", "c"]),
    taking(None, 12, dtype="float16"),
    taking(1, 3, 4, 4, batch=BatchAxis.ONE),
    taking(2, 2, 3, batch=BatchAxis.NONE),
    taking(None, dtype="string"),
]
CONTENT_TYPES = [FORM, FORM + '"', "image/png", "multipart/form-data", "multipart/form-data; bou"]

versions = st.sampled_from(VERSIONS)
damaged = st.builds(
    lambda data, at, until, put: data[: at % len(data)] + put + data[at % len(data) + until :],
    st.sampled_from(FILES),
    st.integers(0, 2000),
    st.integers(0, 3),
    st.binary(max_size=3),
)
parts = st.builds(
    part,
    st.sampled_from(["image", "image", "model", "version", "label", "top", "x", "", "\x00é"]),
    st.sampled_from(FILES) | damaged | st.binary(max_size=5) | st.sampled_from([b"1", b"vk"]),
    st.none() | st.sampled_from(["a.png", "", "../\x7f", "é" * 300]),
    st.sampled_from(["", "Content-Type: image/png\r\n", "Content-Transfer-Encoding: x\r\n"]),
)


def outcome(body: bytes, version: ModelVersion, content_type: str = FORM) -> Bound | TfaasError:
    """What becomes of a request: arrays that fit, or an error that can be answered."""
    codec = make_codec(max_pixels=100_000, max_images=3)
    got = outcome_of(codec, body, Head.of_type(content_type), version)
    for array in got.arrays.values() if isinstance(got, Bound) else ():
        assert array.dtype == object or (array.min() >= -1 and array.max() <= 255)
    return got


@fuzz
@given(st.binary(max_size=200), versions, st.sampled_from(CONTENT_TYPES) | st.text(max_size=9))
def test_any_bytes_are_the_clients_error_or_fit(
    body: bytes, version: ModelVersion, content_type: str
) -> None:
    outcome(body, version, content_type)


@fuzz
@given(st.lists(parts, max_size=4), versions)
def test_any_form_is_the_clients_error_or_fits(sent: list[bytes], version: ModelVersion) -> None:
    outcome(form(*sent), version)


@fuzz
@given(damaged, versions)
def test_any_damaged_picture_is_the_clients_error_or_fits(
    data: bytes, version: ModelVersion
) -> None:
    outcome(images(data), version)


@fuzz
@given(
    st.sampled_from([data for data in FILES if data.startswith(b"\x89PNG")]),
    st.sampled_from(
        ["tEXt", "zTXt", "iTXt", "iCCP", "eXIf", "tRNS", "PLTE", "acTL", "fcTL", "IHDR"]
    )
    | st.from_regex(r"[a-zA-Z]{4}", fullmatch=True),
    st.binary(max_size=30)
    | st.builds(
        lambda key, text: key + b"\0" + text,
        st.sampled_from([b"transparency", b"bbox", b"interlace", b"exif", b"xmp", b"loop"]),
        st.binary(max_size=9),
    ),
    versions,
)
def test_any_further_chunk_of_a_png_is_the_clients_error_or_fits(
    data: bytes, name: str, content: bytes, version: ModelVersion
) -> None:
    outcome(images(data[:33] + chunk(name, content) + data[33:]), version)


@fuzz
@given(
    st.lists(st.none() | st.integers(0, 5), max_size=5),
    st.sampled_from(sorted(NUMPY_DTYPES)),
    st.sampled_from(BatchAxis),
    st.fixed_dictionaries(
        {},
        optional={
            "img_channels": st.sampled_from([0, 1, 3, 4]) | st.text(max_size=2),
            "image": st.none()
            | st.text(max_size=2)
            | st.fixed_dictionaries(
                {},
                optional={
                    "scale": st.sampled_from(["none", "0-1", "-1-1"]) | st.text(max_size=2),
                    "resize": st.sampled_from(["bilinear", "nearest", "off"]) | st.integers(),
                },
            ),
        },
    ),
    st.integers(1, 3),
)
def test_a_picture_fits_a_model_or_is_said_not_to(
    shape: list[int | None], dtype: str, batch: BatchAxis, params: dict[str, Any], count: int
) -> None:
    if batch is not BatchAxis.NONE:
        shape = [None if batch is BatchAxis.FREE else 1, *shape]
    version = taking(*shape, dtype=dtype, batch=batch, **params)
    got = outcome(images(*[file(gradient(4, 3))] * count), version)
    assert isinstance(got, TfaasError) or (got.rows, got.single) == (count, count == 1)


@fuzz
@given(
    hnp.arrays(
        np.uint8,
        st.tuples(st.integers(1, 5), st.integers(1, 5), st.sampled_from([2, 3, 4])),
    )
)
def test_any_png_is_seen_over_white(pixels: Array) -> None:
    data = file(Image.fromarray(pixels, {2: "LA", 3: "RGB", 4: "RGBA"}[pixels.shape[2]]))
    colours = pixels[..., :-1] if pixels.shape[2] != 3 else pixels
    alpha = pixels[..., -1:] / 255 if pixels.shape[2] != 3 else 1
    seen = colours * alpha + 255 * (1 - alpha)
    seen = seen if seen.shape[2] == 3 else seen.repeat(3, axis=2)
    for channels, expected in ((3, seen), (1, seen @ [[0.299], [0.587], [0.114]])):
        got = outcome(images(data), taking(None, None, None, channels))
        assert isinstance(got, Bound)
        np.testing.assert_allclose(got.arrays["x"][0], expected, atol=1.01)


@fuzz
@given(
    hnp.arrays(np.uint32, st.tuples(st.integers(1, 3), st.integers(1, 8))), st.integers(1, 10**9)
)
@example(np.array([[SIGNALLING_NAN, 0]], np.uint32), 2)
def test_the_best_labels_of_any_output_are_answered(bits: Array, top: int) -> None:
    outputs = bits.view(np.float32)
    rows, count = outputs.shape
    labels = [str(number) for number in range(count)]
    spec = TensorSpec("y", "float32", (None, count))
    version = taking(None, 5, 6, 3, outputs=[spec], labels=labels)
    codec = make_codec()
    document = codec.parse(images(*[FILES[0]] * rows, top=str(top)), Head.of_type(FORM))
    body = codec.encode({"y": outputs}, Bound({}, rows, rows == 1), document, version).body
    answers = orjson.loads(body)
    for output, answer in zip(outputs, [answers] if rows == 1 else answers, strict=True):
        places = [int(label["label"]) for label in answer["labels"]]
        best = [output[place] for place in places]
        ranks = [(np.isnan(value), -np.float64(value)) for value in best if not np.isnan(value)]
        assert ranks == sorted(ranks)
        assert np.isnan(best[len(ranks) :]).all()
        assert len(set(places)) == len(places) == min(top, count)
        assert len(ranks) == min(top, np.count_nonzero(~np.isnan(output)))
        left = [output[place] for place in range(count) if place not in places]
        assert all(np.isnan(value) or value <= best[-1] for value in left)
        for label, value in zip(answer["labels"], best, strict=True):
            sent = label["probability"]
            assert np.float32(sent) == value if np.isfinite(value) else sent is None
