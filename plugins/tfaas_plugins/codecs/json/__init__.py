"""The codec ``json``, a plugin."""

from __future__ import annotations

from tfaas_core.config import Config
from tfaas_core.hookspecs import hookimpl
from tfaas_plugins.codecs.json.codec import JsonCodec


@hookimpl
def tfaas_register_codecs(config: Config) -> list[JsonCodec]:
    """The codec ``json``."""
    return [JsonCodec(config.limits)]
