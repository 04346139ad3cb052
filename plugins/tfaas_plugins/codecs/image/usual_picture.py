"""Usual requests: one small PNG, as most programs write it, and perhaps a model's name and ``top``.

They are read and answered as all others are. What is anything else, or does not fit, is left to the
codec, which has words for it.
"""

from __future__ import annotations

from collections.abc import Sequence
from weakref import ref

import msgspec

from tfaas_core.errors import TfaasError
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.short_predictions import UsualPlan
from tfaas_core.tensors import Array, BatchAxis, Bound, by_name
from tfaas_plugins.codecs.image import answer as image_answer
from tfaas_plugins.codecs.image.input import ImageInput
from tfaas_plugins.codecs.image.picture import Picture
from tfaas_plugins.codecs.image.ranking import Ranking
from tfaas_plugins.codecs.values.usual import elements_of

MOST_BYTES = 1 << 13
MOST_PIXELS = 1 << 14
"""A larger picture takes longer than a request should in the event loop."""

_MOST_ELEMENTS = 1 << 10
"""Of all outputs, for each picture."""

_MOST_RANKED = 1 << 6
"""Rows of a run. Of more, most may be those of batches."""

_ONE = Bound({}, 1, True)


class UsualPicture(msgspec.Struct, frozen=True, gc=False):
    """Such a request, read."""

    picture: Picture
    model: str | None
    top: int


class UsualPictures(UsualPlan[UsualPicture]):
    """Takes them to a version, and answers them."""

    def __init__(self, version: ModelVersion, taken: ImageInput) -> None:
        self._version = version
        self._input = taken
        # The run's memory is not to stay here if its last row is another's.
        self._ranked: tuple[ref[Array], Ranking] | None = None

    @classmethod
    def of(cls, version: ModelVersion, taken: ImageInput) -> UsualPictures | None:
        """None: the version takes more than pictures, or what it gives takes long to write, or is
        no picture's."""
        signature = version.signature
        elements = elements_of(signature)
        if len(signature.inputs) != 1 or signature.batch is BatchAxis.NONE:
            return None
        if elements is None or elements > _MOST_ELEMENTS:
            return None
        return cls(version, taken)

    def inputs(self, usual: UsualPicture) -> list[Array] | None:
        try:
            if (array := self._input.usual(usual.picture)) is not None:
                return [array]
            return [*self._input.bind((usual.picture,)).arrays.values()]
        except TfaasError:
            return None

    def answer(self, outputs: Sequence[Array], start: int, end: int, usual: UsualPicture) -> bytes:
        version, filename = self._version, usual.picture.sent.filename or ""
        if not version.labels or end - start != 1:
            named = by_name(version.signature, [each[start:end] for each in outputs])
            return image_answer.encode(named, _ONE, [filename], usual.top, version).whole()
        output = outputs[0]
        if len(output) > _MOST_RANKED:
            return Ranking(output[start:end], version.labels).answer(0, usual.top, filename)
        if self._ranked is None or self._ranked[0]() is not output:
            self._ranked = ref(output), Ranking(output, version.labels)
        ranking = self._ranked[1]
        if end == len(output):
            self._ranked = None
        return ranking.answer(start, usual.top, filename)
