"""Pictures, as they are and in forms: refused, or bound to what the model takes."""

from __future__ import annotations

from tfaas_plugins.codecs.image.codec import ImageCodec

from tests.fuzz.usual import check_usual
from tests.plugins.codecs.image.test_codec import TestContract
from tests.plugins.codecs.outcomes import outcome_of
from tfaas_core.tensors import Bound
from tfaas_core.testing.fuzzing import CodecFuzz


def _codec() -> ImageCodec:
    # As many pixels as are decoded in the event loop; more go to a thread.
    return ImageCodec(max_pixels=64 * 1024, max_images=8)


_FUZZ = CodecFuzz(_codec, TestContract.samples)
_CODEC = _codec()


def check(data: bytes) -> None:
    _FUZZ(data)
    body, sample = data[1:], _FUZZ.sample(data)
    # Not what came of it there: one that is bound may be refused its answer, which is the sample's.
    bound = outcome_of(_CODEC, body, sample.head, sample.version)
    check_usual(
        _CODEC, body, sample.head, sample.version, bound if isinstance(bound, Bound) else None
    )
