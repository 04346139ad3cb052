"""Pictures for a model that decodes them itself: it takes their files' bytes as strings."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from tfaas_core.errors import DoesNotFit
from tfaas_core.models.model import ModelVersion
from tfaas_core.tensors import BatchAxis, Bound, TensorSpec
from tfaas_plugins.codecs.image.decoding import PictureDecoding, Wish
from tfaas_plugins.codecs.image.params import ImageParams
from tfaas_plugins.codecs.image.picture import Picture

_ROWS = ((), (1,))
"""The shapes of a row that is one string."""

_WHOLE = (*_ROWS, (None,))


class ImageFileInput:
    """The input of a version that takes pictures as strings."""

    def __init__(self, version: ModelVersion, spec: TensorSpec, decoding: PictureDecoding) -> None:
        """``spec`` is the input. Raises DoesNotFit if it takes no single strings.

        And if the params are wrong, or say how values are to be made of pictures.
        """
        self._model = version.name
        self._decoding = decoding
        self._name = spec.name
        self._batched = version.signature.batch is not BatchAxis.NONE
        row = version.signature.row_shape(spec)
        if row not in (_ROWS if self._batched else _WHOLE):
            raise self._wrong(
                f"input {spec.name!r} of model {self._model!r} takes {spec}, which is not one "
                "string for a picture",
                "a picture",
                str(spec),
            )
        self._shape = tuple(size or 1 for size in row or ())
        self._check_params(version)

    def bind(self, pictures: Sequence[Picture]) -> Bound:
        """One picture as a single row, several as a batch, their bytes unchanged.

        Raises BadBody if one is damaged, DoesNotFit for several if the model takes one.
        """
        count = len(pictures)
        if count > 1 and not self._batched:
            raise self._wrong(
                f"the form has {count} images, model {self._model!r} takes one at a time", 1, count
            )
        files = np.empty(count, object)
        for index, picture in enumerate(pictures):
            # Nothing is kept of it: damaged ones are found here, where there are words for them.
            self._decoding.decoded(picture, Wish("L", 1), lambda _decoded: None)
            files[index] = picture.sent.data
        shape = (count, *self._shape) if self._batched else self._shape
        return Bound({self._name: files.reshape(shape)}, count, count == 1)

    def _check_params(self, version: ModelVersion) -> None:
        ImageParams.of(version)
        table = version.params.get("image") or {}
        for key, harmless in (("scale", "none"), ("resize", "off")):
            if table.get(key, harmless) != harmless:
                raise self._wrong(
                    f"params.image.{key} of model {self._model!r} is {table[key]!r}, but the model "
                    "takes the bytes of pictures, which stay as they are; leave it out",
                    harmless,
                    table[key],
                )

    def _wrong(self, message: str, expected: object, got: object) -> DoesNotFit:
        return DoesNotFit(message, field="image", expected=expected, got=got, model=self._model)
