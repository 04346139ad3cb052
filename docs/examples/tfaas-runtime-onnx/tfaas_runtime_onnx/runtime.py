"""The ``onnx`` runtime: which files are ONNX models. What loads them is in ``servable``."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Runtime, Servable, Verdict

_EXTERNAL_DATA = (".data", ".onnx_data", ".weights", ".bin")
"""How files end in which exporters put weights that do not fit into the model's own file."""

_IR_VERSION = 0x08
_NEXT_FIELDS = frozenset((0x12, 0x1A, 0x22, 0x28, 0x32, 0x3A, 0x42))
"""The first bytes of ModelProto's field 1, a number, and of those that may be next to it."""


class OnnxRuntime(Runtime):
    """Loads a file of ONNX, or a folder with one and the weights that it keeps beside it.

    It names no ``preload``, because an import of ONNX Runtime starts a thread, which must not be
    before a model process is forked. So each of these imports it, in a third of a second.
    """

    suffixes = (".onnx",)
    nouns = ("ONNX model (.onnx)", "ONNX models (.onnx)")

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        """Sure of what is called so, and of what begins as no graph of TensorFlow does."""
        try:
            file = model_file(artifact)
        except ValueError:
            return Verdict.NO
        with file.open("rb") as opened:
            head = opened.read(3)
        begins = len(head) == 3 and head[0] == _IR_VERSION and head[2] in _NEXT_FIELDS
        return Verdict.SURE if begins or file_name.endswith(self.suffixes) else Verdict.NO

    def find(self, folder: Path) -> Iterable[Path]:
        """The files of ONNX in the folder; or itself, if weights lie beside the only one."""
        files = list(super().find(folder))
        has_weights = any(path.name.endswith(_EXTERNAL_DATA) for path in folder.iterdir())
        return [folder] if has_weights and len(files) == 1 else files

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        # Only here, in a model process: it imports ONNX Runtime.
        from tfaas_runtime_onnx.servable import load_onnx

        return load_onnx(model_file(artifact), params, options.threads or 1)

    def count_ops(self, artifact: Path, params: Params) -> dict[str, int]:
        from tfaas_runtime_onnx.graph import count_ops, read_model

        return count_ops(read_model(model_file(artifact)))


def model_file(artifact: Path) -> Path:
    """The file of ONNX that ``artifact`` is, or holds; raises ValueError if there is not one."""
    if artifact.is_file():
        return artifact
    (file,) = artifact.glob("*.onnx")
    return file
