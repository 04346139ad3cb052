"""The image codec: PNG and JPEG pictures to arrays, and outputs to labels."""

from __future__ import annotations

from tfaas_core.codec import Codec, Document, Encoded
from tfaas_core.decoding.decoder import Decoders
from tfaas_core.decoding.uses import UsesDecoders
from tfaas_core.errors import DoesNotFit, TfaasError, TooLarge
from tfaas_core.models.model import ModelVersion
from tfaas_core.predict.short_predictions import PlansUsual
from tfaas_core.route import Head
from tfaas_core.tensors import Arrays, Bound
from tfaas_core.uploads.multipart import MEDIA_TYPE
from tfaas_core.values.bindings import Bindings
from tfaas_core.values.inputs import only_input
from tfaas_plugins.codecs.image import answer as image_answer
from tfaas_plugins.codecs.image.decoding import MOST_CHANNELS, WORK, PictureDecoding
from tfaas_plugins.codecs.image.file_input import ImageFileInput
from tfaas_plugins.codecs.image.input import ImageInput
from tfaas_plugins.codecs.image.picture import Picture
from tfaas_plugins.codecs.image.picture_form import DEFAULT_TOP, read_image_form
from tfaas_plugins.codecs.image.usual_picture import (
    MOST_BYTES,
    MOST_PIXELS,
    UsualPicture,
    UsualPictures,
)
from tfaas_plugins.codecs.image.usual_png import BEGINNING

LIGHT_PIXELS = 64 * 1024
"""Decoding takes a millisecond or so."""

_FEW_PICTURES = 2
"""Of a request. Each of more, however small, becomes as large as the model takes it."""

MOST_SCANS = 20
"""Of a JPEG that has as many pixels as there may be. A smaller one may have more."""

_LIGHT_WORK = 16 * LIGHT_PIXELS
"""So many pixels a JPEG decoder goes through in that time, scan by scan."""

_MEMORY_BYTES = 64 << 20
_BYTES_A_PIXEL = 32
"""Of what a decoder may take: the most that Pillow needs of a picture, several times over."""


class ImageDocument(Document):
    """The pictures of a request, their headers read; and how many labels to answer for each."""

    pictures: tuple[Picture, ...] = ()
    top: int = DEFAULT_TOP


class ImageCodec(Codec[ImageDocument], PlansUsual[UsualPicture], UsesDecoders):
    """Pictures in, JSON out. What libraries in C read of pictures, decoders read."""

    name = "image"
    media_types = (MEDIA_TYPE, "image/png", "image/jpeg", "application/octet-stream")
    answer_types = ("application/json",)
    decoding = WORK

    def __init__(
        self,
        *,
        max_pixels: int,
        max_images: int,
        max_file_bytes: int = 1 << 30,
        most_here: int = LIGHT_PIXELS,
    ) -> None:
        """A request may have ``max_images`` pictures, of ``max_pixels`` pixels together.

        And those of all scans together are MOST_SCANS times as many at most. No picture has more
        than ``max_file_bytes``. With more than ``most_here`` pixels, decoders decode it, once there
        are any; it is LIGHT_PIXELS, or 0 for all.
        """
        self._max_pixels = max_pixels
        self._max_work = MOST_SCANS * max(max_pixels, LIGHT_PIXELS)
        self._max_images = max_images
        self._inputs = Bindings(self._make_input)
        self._decoding = PictureDecoding(most_here)
        self.decoding_shared_bytes = max(MOST_CHANNELS * max_pixels, max_file_bytes)
        self.decoding_memory_bytes = _MEMORY_BYTES + _BYTES_A_PIXEL * max_pixels + max_file_bytes

    def use(self, decoders: Decoders) -> None:
        """From now on, ``decoders`` decode."""
        self._decoding.decoders = decoders

    def parse(self, body: bytes, head: Head) -> ImageDocument:
        """Reads a form, or a picture as it is; of the pictures, their headers.

        Raises BadBody; DoesNotFit if a picture is animated, or ``top`` or ``version`` is no
        count; TooLarge if they are too many, or have too many pixels.
        """
        form = read_image_form(body, head.content_type, self._max_images)
        pictures: list[Picture] = []
        pixels = work = 0
        for sent in form.images:
            pictures.append(Picture.of(sent))
            pixels += pictures[-1].pixels
            work += pictures[-1].work
            if pixels > self._max_pixels:
                raise self._too_large(pictures, pixels)
            if work > self._max_work:
                raise self._too_much_work(pictures[-1], work)
        return ImageDocument(
            tuple(pictures),
            form.top,
            model=form.model,
            version=form.version,
            label=form.label,
        )

    def is_heavy(self, document: ImageDocument, version: ModelVersion) -> bool:
        """For more than a few thousand pixels, of which decoding takes a millisecond or so.

        And for several pictures, and for a model that may make many pixels of few, and if another
        process decodes any: no event loop waits for it.
        """
        pictures = document.pictures
        return (
            self._makes_many(version)
            or len(pictures) > _FEW_PICTURES
            or sum(picture.pixels for picture in pictures) > LIGHT_PIXELS
            or sum(picture.work for picture in pictures) > _LIGHT_WORK
            or not all(map(self._decoding.is_here, pictures))
        )

    def bind(self, document: ImageDocument, version: ModelVersion) -> Bound:
        """One picture as a single row, several as a batch, made to fit the model's input.

        A model that takes strings gets their bytes as they were sent.
        Raises DoesNotFit if they do not fit, BadBody if a picture is damaged behind its
        header, TooLarge if they have too many pixels once they are resized.
        """
        return self._inputs.of(version).bind(document.pictures)

    def encode(
        self, outputs: Arrays, bound: Bound, document: ImageDocument, version: ModelVersion
    ) -> Encoded:
        """For each picture its best labels, or if the model has none, its outputs."""
        filenames = [picture.sent.filename or "" for picture in document.pictures]
        return image_answer.encode(outputs, bound, filenames, document.top, version)

    def usual(self, body: bytes, head: Head) -> UsualPicture | None:
        if len(body) > MOST_BYTES or BEGINNING not in body:
            return None
        try:
            form = read_image_form(body, head.content_type, 1)
        except TfaasError:
            return None
        picture = Picture.usual_of(form.images[0])
        if (
            picture is None
            or picture.pixels > min(MOST_PIXELS, self._max_pixels)
            or not self._decoding.is_here(picture)
            or form.version is not None
            or form.label is not None
        ):
            return None
        return UsualPicture(picture, form.model, form.top)

    def usual_plan(self, version: ModelVersion) -> UsualPictures | None:
        try:
            taken = self._inputs.of(version)
        except DoesNotFit:
            return None
        if not isinstance(taken, ImageInput) or taken.may_make(LIGHT_PIXELS):
            return None
        return UsualPictures.of(version, taken)

    def _make_input(self, version: ModelVersion) -> ImageInput | ImageFileInput:
        image_answer.check_labels(version)
        only = only_input(version)
        if only is not None and only.dtype == "string":
            return ImageFileInput(version, only, self._decoding)
        return ImageInput(version, self._max_pixels, self._decoding)

    def _makes_many(self, version: ModelVersion) -> bool:
        taken = self._inputs.of(version)
        return isinstance(taken, ImageInput) and taken.may_make(LIGHT_PIXELS)

    def _too_large(self, pictures: list[Picture], total_pixels: int) -> TooLarge:
        last = pictures[-1]
        if len(pictures) == 1:
            what = f"{last.sent.place} has {last.width} x {last.height} pixels"
        else:
            what = f"the first {len(pictures)} images have {total_pixels} pixels together"
        return TooLarge(
            f"{what}, more than the {self._max_pixels} of limits.max_image_pixels",
            field="image",
            expected=self._max_pixels,
            got=total_pixels,
        )

    def _too_much_work(self, last: Picture, work: int) -> TooLarge:
        return TooLarge(
            f"{last.sent.place} has {last.scans} scans, each of which goes through all of its "
            f"pixels: {work} together, with the images before it, and at most {self._max_work} are "
            f"gone through ({MOST_SCANS} times limits.max_image_pixels); send a JPEG that is not "
            "progressive",
            field="image",
            expected=self._max_work,
            got=work,
        )
