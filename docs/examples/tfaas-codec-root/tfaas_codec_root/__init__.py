"""ROOT files for TFaaS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfaas_codec_root.codec import RootCodec
from tfaas_core.codec import Codec
from tfaas_core.config import Config
from tfaas_core.hookspecs import hookimpl


@hookimpl
def tfaas_register_codecs(config: Config) -> Iterable[Codec[Any]]:
    """The codec ``root``: a file takes no more memory than a body may have bytes."""
    return [RootCodec(config.server.max_body_bytes)]
