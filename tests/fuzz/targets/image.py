"""Pictures, as they are and in forms: refused, or bound to what the model takes."""

from __future__ import annotations

from tfaas_plugins.codecs.image.codec import ImageCodec

from tests.plugins.codecs.image.test_codec import TestContract
from tfaas_core.testing.fuzzing import CodecFuzz


def _codec() -> ImageCodec:
    # As many pixels as are decoded in the event loop; more go to a thread.
    return ImageCodec(max_pixels=64 * 1024, max_images=8)


check = CodecFuzz(_codec, TestContract.samples)
