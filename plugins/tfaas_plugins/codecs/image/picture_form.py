"""What a request to the image codec holds: pictures as they were sent, and a few words of text."""

from __future__ import annotations

import re

import msgspec

from tfaas_core.errors import BadBody, DoesNotFit, TooLarge
from tfaas_core.models.versions import number_of
from tfaas_core.uploads.form import MAX_FIELD_BYTES, check_ignorable
from tfaas_core.uploads.multipart import (
    MEDIA_TYPE,
    Event,
    PartHead,
    boundary_of,
    events_of,
    plain_parts,
)

DEFAULT_TOP = 5
"""How many labels an answer has, unless the request says otherwise."""

_IMAGE = "image"
_TEXTS = ("model", "name", "version", "label", "top")
_PLAIN_ENCODINGS = ("", "7bit", "8bit", "binary")
_COUNT = re.compile(r"\s*0*([1-9][0-9]*)\s*")


class SentImage(msgspec.Struct, frozen=True):
    """The bytes of a picture, not looked at yet.

    ``filename`` is what the client calls it, without folders; None if it was sent as text, or
    as the whole body. ``place`` is how messages name it.
    """

    data: bytes
    filename: str | None
    place: str


class ImageForm(msgspec.Struct, frozen=True):
    """A request: one picture at least, what it names, and how many labels to answer."""

    images: tuple[SentImage, ...]
    model: str | None = None
    version: int | None = None
    label: str | None = None
    top: int = DEFAULT_TOP


def read_image_form(body: bytes, content_type: str, max_images: int) -> ImageForm:
    """The form that ``body`` is; a body that is not announced as a form is one picture.

    Raises BadBody if it is no such form, or lacks a picture; DoesNotFit if ``top`` or
    ``version`` is no count; TooLarge for more than ``max_images`` pictures.
    """
    if content_type.partition(";")[0].strip().lower() != MEDIA_TYPE:
        if not body:
            raise BadBody("the body is empty, send a picture or a form (curl -F image=@file.png)")
        return ImageForm((SentImage(body, None, "the body"),))
    parts, boundary = _Parts(max_images), boundary_of(content_type)
    plain = plain_parts(body, boundary)
    if plain is None:
        for event in events_of(body, boundary):
            parts.take(event)
    else:
        for head, content in plain:
            parts.add(head, content)
    return parts.form()


class _Parts:
    """Makes an ImageForm of events, or of whole parts."""

    def __init__(self, max_images: int) -> None:
        self._max_images = max_images
        self._texts: dict[str, str] = {}
        self._images: list[tuple[bytes, str | None]] = []
        self._ignored = 0
        self._head = PartHead("", None, "")
        self._content = bytearray()

    def take(self, event: Event) -> None:
        if isinstance(event, PartHead):
            self._check(event)
            self._head = event
            self._content = bytearray()
        elif isinstance(event, bytes):
            self._content += event
            self._check_length(self._head.name, len(self._content))
        else:
            self._keep(self._head, bytes(self._content))

    def add(self, head: PartHead, content: bytes) -> None:
        self._check(head)
        self._check_length(head.name, len(content))
        self._keep(head, content)

    def form(self) -> ImageForm:
        if not self._images:
            raise BadBody(
                "the form lacks the part 'image', a PNG or JPEG (curl -F image=@file.png)",
                field=_IMAGE,
            )
        count = len(self._images)
        images = []
        for number, (data, filename) in enumerate(self._images, 1):
            place = "the part 'image'" if count == 1 else f"image {number} of {count}"
            if not data:
                raise BadBody(f"{place} is empty", field=_IMAGE)
            images.append(SentImage(data, filename, place))
        texts = self._texts
        version = texts.get("version", "").strip()
        return ImageForm(
            tuple(images),
            model=texts.get("model") or texts.get("name") or None,
            version=number_of(version) if version else None,
            label=texts.get("label") or None,
            top=_top(texts.get("top")),
        )

    def _check(self, head: PartHead) -> None:
        name = head.name
        if name != _IMAGE and name not in _TEXTS:
            check_ignorable(head, (_IMAGE, *_TEXTS), self._ignored)
            self._ignored += 1
            return
        if name in self._texts:
            raise BadBody(f"the form has two parts {name!r}", field=name)
        if name != _IMAGE and head.filename is not None:
            raise BadBody(f"the part {name!r} is a file; send it as text", field=name)
        if head.encoding not in _PLAIN_ENCODINGS:
            raise BadBody(
                f"the part {name!r} has Content-Transfer-Encoding {head.encoding[:40]!r}; "
                "send its bytes as they are",
                field=name,
            )
        if name == _IMAGE and len(self._images) == self._max_images:
            raise TooLarge(
                f"the form has more than {self._max_images} images, the most rows that may ever "
                "wait for a model (engine.max_queue_rows); send fewer at a time",
                field=_IMAGE,
                expected=self._max_images,
            )

    def _check_length(self, name: str, length: int) -> None:
        if name != _IMAGE and length > MAX_FIELD_BYTES:
            raise BadBody(
                f"the part {name[:80]!r} is longer than {MAX_FIELD_BYTES} bytes, "
                "the most that a text field may have",
                field=name[:80],
            )

    def _keep(self, head: PartHead, content: bytes) -> None:
        name = head.name
        if name == _IMAGE:
            self._images.append((content, head.filename))
        elif name in _TEXTS:
            try:
                self._texts[name] = content.decode()
            except UnicodeDecodeError as error:
                raise BadBody(f"the part {name!r} is not UTF-8: {error}", field=name) from None


def _top(text: str | None) -> int:
    if text is None:
        return DEFAULT_TOP
    count = _COUNT.fullmatch(text)
    if count is None:
        raise DoesNotFit(
            f"top is {text[:40]!r}, send how many labels to answer: 1 or more", field="top"
        )
    # No model has more labels than these digits can say.
    return int(count[1][:18])
