"""The codec ``proto``, a plugin."""

from __future__ import annotations

from tfaas_core.config import Config
from tfaas_core.hookspecs import hookimpl
from tfaas_plugins.codecs.protobuf.codec import ProtobufCodec


@hookimpl
def tfaas_register_codecs(config: Config) -> list[ProtobufCodec]:
    """The codec ``proto``."""
    return [ProtobufCodec(config.engine.max_queue_rows)]
