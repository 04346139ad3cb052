"""Pictures drawn for tests, the forms that carry them, and models that take them."""

from __future__ import annotations

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Any

import numpy as np
import pytest
from PIL import Image
from tfaas_plugins.codecs.image.codec import ImageCodec

from tfaas_core.errors import DoesNotFit, TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.route import Head
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec, conform
from tfaas_core.testing.models import model_version

BOUNDARY = "----7MA4YWxkTrZu0gW"
FORM = f"multipart/form-data; boundary={BOUNDARY}"


def picture(values: Any, mode: str | None = None) -> Image.Image:
    """A picture of nested lists of values 0..255, or of an array."""
    image = Image.fromarray(np.array(values, np.uint8))
    return image if mode is None else image.convert(mode)


def file(image: Image.Image, format: str = "PNG", **options: Any) -> bytes:
    """The picture as the bytes of a file."""
    buffer = io.BytesIO()
    image.save(buffer, format, **options)
    return buffer.getvalue()


def gradient(width: int, height: int) -> Image.Image:
    """Colours that change smoothly from corner to corner, so that JPEG keeps them closely."""
    y, x = np.mgrid[0:height, 0:width]
    red, green = 255 * x / max(width - 1, 1), 255 * y / max(height - 1, 1)
    return Image.fromarray(np.stack([red, green, 255 - red], -1).astype(np.uint8))


def png_of(
    width: int, height: int, depth: int, colour: int, pixels: bytes, **chunks: bytes
) -> bytes:
    """A PNG written by hand: one row of packed pixels, repeated; ``chunks`` stand before it."""
    header = struct.pack(">IIBBBBB", width, height, depth, colour, 0, 0, 0)
    parts = [("IHDR", header), *chunks.items()]
    parts += [("IDAT", zlib.compress((b"\0" + pixels) * height)), ("IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(chunk(name, data) for name, data in parts)


def chunk(name: str, data: bytes) -> bytes:
    """A chunk of a PNG, with its checksum."""
    named = name.encode() + data
    return struct.pack(">I", len(data)) + named + struct.pack(">I", zlib.crc32(named))


def part(name: str, content: bytes | str, filename: str | None = None, headers: str = "") -> bytes:
    """A part of a form."""
    content = content.encode() if isinstance(content, str) else content
    of_file = "" if filename is None else f'; filename="{filename}"'
    head = (
        f'--{BOUNDARY}\r\nContent-Disposition: form-data; name="{name}"{of_file}\r\n{headers}\r\n'
    )
    return head.encode() + content + b"\r\n"


def form(*parts: bytes) -> bytes:
    """A form of parts."""
    return b"".join(parts) + f"--{BOUNDARY}--\r\n".encode()


def images(*files: bytes, **texts: str) -> bytes:
    """A form of pictures, called ``0.png`` and so on, and of text fields."""
    parts = [part("image", data, f"{number}.png") for number, data in enumerate(files)]
    return form(*parts, *(part(name, text) for name, text in texts.items()))


def taking(
    *shape: int | None,
    dtype: str = "float32",
    batch: BatchAxis = BatchAxis.FREE,
    outputs: Sequence[TensorSpec] = (TensorSpec("y", "float32", (None, 3)),),
    labels: Sequence[str] = (),
    **params: Any,
) -> ModelVersion:
    """A model with the one input ``x`` of this shape, axis 0 the batch."""
    return model_version(
        [TensorSpec("x", dtype, shape)], outputs, batch=batch, params=params, labels=labels
    )


def make_codec(max_pixels: int = 1_000_000, max_images: int = 100) -> ImageCodec:
    """The codec with small limits."""
    return ImageCodec(max_pixels=max_pixels, max_images=max_images)


def bind(
    body: bytes, version: ModelVersion, codec: ImageCodec | None = None, content_type: str = FORM
) -> Bound:
    """What a request is bound to, once it was seen to fit."""
    codec = codec or make_codec()
    bound = codec.bind(codec.parse(body, Head.of_type(content_type)), version)
    conform(version.signature, bound)
    return bound


def row(data: bytes, version: ModelVersion) -> Array:
    """The one row of the array that a picture becomes."""
    bound = bind(images(data), version)
    assert bound.single
    assert bound.rows == 1
    (array,) = bound.arrays.values()
    return np.asarray(array[0])


def refusal(
    kind: type[TfaasError],
    body: bytes,
    version: ModelVersion | None = None,
    content_type: str = FORM,
    codec: ImageCodec | None = None,
) -> TfaasError:
    """The error that becomes of a request."""
    with pytest.raises(kind) as caught:
        bind(body, version or taking(None, 2, 2, 3), codec, content_type)
    assert caught.value.message.isprintable()
    assert type(caught.value) is kind
    return caught.value


def misfit(data: bytes, version: ModelVersion) -> str:
    """The message of the 422 that a picture gets."""
    return refusal(DoesNotFit, images(data), version).message
