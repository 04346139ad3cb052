"""CSV and TSV for TFaaS."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from tfaas_codec_csv.codec import CsvCodec, TsvCodec
from tfaas_core.codec import Codec
from tfaas_core.hookspecs import hookimpl


@hookimpl
def tfaas_register_codecs() -> Iterable[Codec[Any]]:
    """The codecs ``csv`` and ``tsv``."""
    return [CsvCodec(), TsvCodec()]
