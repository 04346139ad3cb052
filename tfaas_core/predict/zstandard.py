"""Zstandard, of the standard library, or what brings it to a Python that lacks it."""

from __future__ import annotations

import sys

if sys.version_info >= (3, 14):
    from compression.zstd import CompressionParameter, DecompressionParameter
    from compression.zstd import ZstdCompressor as Compressor
    from compression.zstd import ZstdDecompressor as Decompressor
    from compression.zstd import ZstdError as Error
else:
    from backports.zstd import CompressionParameter, DecompressionParameter
    from backports.zstd import ZstdCompressor as Compressor
    from backports.zstd import ZstdDecompressor as Decompressor
    from backports.zstd import ZstdError as Error

__all__ = ["Compressor", "Decompressor", "Error", "compressor", "decompressor"]

MOST_WINDOW_LOG = 23
"""8 MiB: what HTTP allows at most, by RFC 9659. So much memory a decompressor takes."""


def compressor(level: int, window_log: int = 0) -> Compressor:
    """What compresses an answer. Higher levels take longer; with 0, the window is that of one."""
    options = {
        CompressionParameter.compression_level: level,
        CompressionParameter.window_log: window_log,
        CompressionParameter.checksum_flag: 1,
    }
    return Compressor(options={int(key): value for key, value in options.items()})


def decompressor() -> Decompressor:
    """What reads a body."""
    return Decompressor(options={int(DecompressionParameter.window_log_max): MOST_WINDOW_LOG})
