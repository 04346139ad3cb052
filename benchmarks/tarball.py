"""Tarballs of a SavedModel: packed, made large, and unpacked by ``tar``."""

from __future__ import annotations

import os
import shutil
import subprocess
import time
from pathlib import Path

_CHUNK_BYTES = 1 << 20


def pack(folder: Path) -> Path:
    """``FOLDER.tar.gz`` beside the folder, made by ``tar``."""
    tarball = folder.with_name(f"{folder.name}.tar.gz")
    command = ["tar", "-I", "gzip -1", "-cf", str(tarball), "-C", str(folder.parent), folder.name]
    subprocess.run(command, check=True)
    return tarball


def pack_large(saved_model: Path, folder: Path, extra_bytes: int) -> Path:
    """Packs a copy of the SavedModel with ``extra_bytes`` of noise in ``assets.extra/``.

    TensorFlow does not read that file, so that the model's own memory stays small. ``folder`` is a
    new one, and gone afterwards.
    """
    shutil.copytree(saved_model, folder)
    extra = folder / "assets.extra" / "noise"
    extra.parent.mkdir()
    with extra.open("wb") as file:
        for start in range(0, extra_bytes, _CHUNK_BYTES):
            file.write(os.urandom(min(_CHUNK_BYTES, extra_bytes - start)))
    tarball = pack(folder)
    shutil.rmtree(folder)
    return tarball


def unpack_s(tarball: Path) -> float:
    """Seconds of ``tar xzf`` into a new folder beside it, which is then removed."""
    folder = tarball.with_name("unpacked")
    folder.mkdir()
    try:
        start_s = time.perf_counter()
        subprocess.run(["tar", "xzf", str(tarball), "-C", str(folder)], check=True)
        return time.perf_counter() - start_s
    finally:
        shutil.rmtree(folder)
