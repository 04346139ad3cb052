"""The ``litert`` runtime: which files are models of TensorFlow Lite."""

from __future__ import annotations

from pathlib import Path

from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Runtime, Servable, Verdict

_MARK = b"TFL3"


class LiteRuntime(Runtime):
    """Loads a ``.tflite`` file."""

    # In a fork server of its own: models start at once, and share what it has imported.
    preload = ("tfaas_runtime_litert.servable",)
    suffixes = (".tflite",)
    nouns = ("model of TensorFlow Lite (.tflite)", "models of TensorFlow Lite (.tflite)")

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        """Sure of a file with the mark of its kind, or with the name of one."""
        if not artifact.is_file():
            return Verdict.NO
        with artifact.open("rb") as opened:
            is_marked = opened.read(8)[4:] == _MARK
        return Verdict.SURE if is_marked or file_name.endswith(self.suffixes) else Verdict.NO

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        # Only here: it imports LiteRT.
        from tfaas_runtime_litert.servable import load_lite

        return load_lite(artifact, params, options.threads or 1)
