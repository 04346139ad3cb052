"""The codec ``msgpack``, a plugin."""

from __future__ import annotations

from tfaas_core.config import Config
from tfaas_core.hookspecs import hookimpl
from tfaas_plugins.codecs.msgpack.codec import MsgpackCodec


@hookimpl
def tfaas_register_codecs(config: Config) -> list[MsgpackCodec]:
    """The codec ``msgpack``."""
    return [MsgpackCodec(config.limits)]
