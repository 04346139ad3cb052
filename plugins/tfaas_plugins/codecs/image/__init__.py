"""The codec ``image``, a plugin."""

from __future__ import annotations

from tfaas_core.config import Config
from tfaas_core.hookspecs import hookimpl
from tfaas_plugins.codecs.image.codec import LIGHT_PIXELS, ImageCodec


@hookimpl
def tfaas_register_codecs(config: Config) -> list[ImageCodec]:
    """The codec ``image``."""
    return [
        ImageCodec(
            max_pixels=config.limits.max_image_pixels,
            max_images=config.engine.max_queue_rows,
            max_file_bytes=config.server.max_body_bytes,
            most_here=0 if config.server.decoders == "all" else LIGHT_PIXELS,
        )
    ]
