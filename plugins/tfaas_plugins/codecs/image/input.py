"""How pictures become the array that one version of a model takes."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from PIL.Image import Resampling

from tfaas_core.errors import DoesNotFit, TfaasError, TooLarge
from tfaas_core.levels import Levels
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import Array, BatchAxis, Bound, TensorSpec
from tfaas_core.values.inputs import only_input
from tfaas_plugins.codecs.image.decoding import Decoded, PictureDecoding, Wish
from tfaas_plugins.codecs.image.layout import CHANNELS, Layout, Mode
from tfaas_plugins.codecs.image.params import ImageParams
from tfaas_plugins.codecs.image.picture import Picture

LEAST_BYTES = 1 << 16
"""Of a request's numbers: fewer are made at once."""

_MODES: dict[int, Mode] = {1: "L", 3: "RGB", 4: "RGBA"}
_RESAMPLING = {"bilinear": Resampling.BILINEAR, "nearest": Resampling.NEAREST, "off": None}
_SCALES = {"none": (1.0, 0.0), "0-1": (255.0, 0.0), "-1-1": (127.5, 1.0)}
"""The divisor and the offset of levels."""

_FINER = {"fine": 2, "fast": 1, "off": 0}
"""How many times finer than the model's input a JPEG is read at least, before it is resized; 0: in
its full size only."""


class ImageInput:
    """The input of a version that takes pictures: what can be worked out of it beforehand."""

    def __init__(self, version: ModelVersion, max_pixels: int, decoding: PictureDecoding) -> None:
        """Raises DoesNotFit if the model does not take pictures, or its params are wrong."""
        self._model = version.name
        self._decoding = decoding
        self._max_pixels = max_pixels
        self._params = ImageParams.of(version)
        self._spec = _only_input(version)
        self._check_dtype()
        self._takes_several = version.signature.batch is not BatchAxis.NONE
        shape = self._spec.shape or ()
        self._has_first_axis = self._takes_several or (len(shape) == 4 and shape[0] in (1, None))
        self._layout = self._find_layout(shape[1:] if self._has_first_axis else shape)
        self._mode = _MODES[self._layout.channels]
        self._resample = _RESAMPLING[self._params.resize]
        self._scale = _SCALES[self._params.scale]
        self._wish = self._wished(max_pixels)
        self._usual_size = self._find_usual_size()
        self._usual_shape = (1, *(axis or self._layout.channels for axis in shape[1:]))

    def may_make(self, pixels: int) -> bool:
        """Whether a picture of fewer may become more than these."""
        height, width = self._layout.height, self._layout.width
        if self._resample is None or height is width is None:
            return False
        return height is None or width is None or height * width > pixels

    def bind(self, pictures: Sequence[Picture]) -> Bound:
        """One picture as a single row, several as a batch.

        Raises BadBody if one is damaged, DoesNotFit if one is of another size than it must
        be, TooLarge if they have too many pixels once they are made to fit.
        """
        if len(pictures) > 1 and not self._takes_several:
            raise self._wrong(
                f"the form has {len(pictures)} images, model {self._model!r} takes one at a time",
                1,
                len(pictures),
            )
        rows: list[Array] = []  # or the batch, if there is but one picture
        size, left = (0, 0), self._max_pixels
        for picture in pictures:
            row, got = self._row(picture, left, is_only=len(pictures) == 1)
            if rows and got != size:
                raise self._sizes_differ(pictures[0], size, picture, got)
            size, left = got, left - got[0] * got[1]
            rows.append(row)
        batch = rows[0] if len(rows) == 1 else self._made(np.stack(rows), is_lent=False)
        array = batch if self._has_first_axis else batch[0]
        return Bound({self._spec.name: array}, len(pictures), len(pictures) == 1)

    def usual(self, picture: Picture) -> Array | None:
        """As the array of ``bind``, of a picture that is a usual PNG and as the model takes it.

        None: it is none, and ``bind`` knows of it.
        """
        png, size = picture.usual, self._usual_size
        if png is None or size != (png.width, png.height) or png.mode != self._mode:
            return None
        values = png.values()
        if values is None:
            return None
        numbers = np.frombuffer(values, np.uint8).astype(self._spec.numpy_dtype)
        divisor, offset = self._scale
        if divisor != 1:
            numbers /= divisor
        if offset:
            numbers -= offset
        return numbers.reshape(self._usual_shape)

    def _row(
        self, picture: Picture, max_pixels: int, is_only: bool
    ) -> tuple[Array, tuple[int, int]]:
        """The picture's values, and its width and height; if it is the only one, a whole batch."""

        def taken(shown: Decoded) -> tuple[Array, tuple[int, int]]:
            size = self._layout.size_for(shown.width, shown.height)
            if shown.pixels is None:
                raise self._misfit(picture, shown, size)
            row = self._layout.arranged(shown.pixels)
            return self._made(row[None], is_lent=True) if is_only else np.array(row), size

        wish = self._wish if max_pixels == self._max_pixels else self._wished(max_pixels)
        return self._decoding.decoded(picture, wish, taken)

    def _wished(self, max_pixels: int) -> Wish:
        resample = None if self._resample is None else int(self._resample)
        return Wish(self._mode, self._least(), self._layout, resample, max_pixels)

    def _misfit(self, picture: Picture, shown: Decoded, size: tuple[int, int]) -> TfaasError:
        """Why a picture that should get this ``size`` cannot be taken."""
        if self._resample is None and size != (shown.width, shown.height):
            expected = f"{self._layout.width or 'any'} x {self._layout.height or 'any'}"
            got = f"{shown.width} x {shown.height}"
            return self._wrong(
                f"{picture.sent.place} is {got} pixels, model {self._model!r} takes {expected}, "
                "and its params.image.resize is 'off'",
                expected,
                got,
            )
        return TooLarge(
            f"resized for model {self._model!r}, the images have more than "
            f"{self._max_pixels} pixels (limits.max_image_pixels); send fewer at a time",
            field="image",
            expected=self._max_pixels,
            model=self._model,
        )

    def _least(self) -> int | None:
        """The shortest side, in pixels, that a JPEG may be read with; None: only its full size."""
        longest = max(self._layout.height or 0, self._layout.width or 0)
        least = _FINER[self._params.reduce] * longest
        return least or None if self._resample is Resampling.BILINEAR else None

    def _made(self, levels: NDArray[np.uint8], is_lent: bool) -> Array:
        """A batch as what the model takes, in C order: as levels, if numbers are many bytes.

        ``is_lent``: they are gone soon.
        """
        dtype = self._spec.numpy_dtype
        if levels.size * dtype.itemsize < LEAST_BYTES or dtype == np.uint8:
            return Levels.of(levels, dtype, *self._scale).numbers()
        kept = np.array(levels, order="C", copy=True if is_lent else None)
        return Levels.of(kept, dtype, *self._scale)

    def _check_dtype(self) -> None:
        dtype, scale = self._spec.numpy_dtype, self._params.scale
        is_float = dtype.kind == "f"
        if not is_float and (dtype.kind not in "iu" or np.iinfo(dtype).max < 255):
            raise self._wrong(
                f"input {self._spec.name!r} of model {self._model!r} takes {self._spec}, which "
                "does not hold a picture's values of 0 to 255",
                "a picture's values",
                str(self._spec),
            )
        if not is_float and scale != "none":
            raise self._wrong(
                f"params.image.scale of model {self._model!r} is {scale!r}, but the model takes "
                f"{self._spec.dtype}, which is for 'none' alone",
                "none",
                scale,
            )

    def _find_layout(self, shape: tuple[int | None, ...]) -> Layout:
        layout = Layout.of(shape, self._params.channels)
        if layout is None:
            channels = self._params.channels
            asked = f"{channels}, as params.img_channels says," if channels else _LISTED_CHANNELS
            raise self._wrong(
                f"input {self._spec.name!r} of model {self._model!r} takes {self._spec}, which is "
                f"not a picture's height and width with {asked} channels",
                "a picture",
                str(self._spec),
            )
        return layout

    def _find_usual_size(self) -> tuple[int, int] | None:
        """The width and height of pictures that ``usual`` takes; None: it takes none."""
        size = self._layout.usual()
        if size is None:
            return None
        numbers = size[0] * size[1] * self._layout.channels
        return size if numbers * self._spec.numpy_dtype.itemsize < LEAST_BYTES else None

    def _sizes_differ(
        self, first: Picture, size: tuple[int, int], other: Picture, other_size: tuple[int, int]
    ) -> DoesNotFit:
        expected = f"{size[0]} x {size[1]}"
        got = f"{other_size[0]} x {other_size[1]}"
        return self._wrong(
            f"{first.sent.place} is {expected} pixels, {other.sent.place} is {got}; model "
            f"{self._model!r} takes any size, but one for all images of a request",
            expected,
            got,
        )

    def _wrong(self, message: str, expected: object, got: object) -> DoesNotFit:
        return DoesNotFit(message, field="image", expected=expected, got=got, model=self._model)


_LISTED_CHANNELS = f"{', '.join(map(str, CHANNELS[:-1]))} or {CHANNELS[-1]}"


def _only_input(version: ModelVersion) -> TensorSpec:
    inputs = version.signature.inputs
    only = only_input(version)
    if only is None:
        listed = ", ".join(f"{spec.name!r} ({spec})" for spec in inputs) or "none"
        raise DoesNotFit(
            f"model {version.name!r} takes not one picture but these inputs: {listed}",
            field="image",
            expected=[spec.name for spec in inputs],
            model=version.name,
        )
    return only
