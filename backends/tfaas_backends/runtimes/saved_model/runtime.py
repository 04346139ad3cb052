"""The ``saved_model`` runtime: TensorFlow's SavedModel folders."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from tfaas_backends.runtimes.litert.accelerator import LiteAccelerator
from tfaas_backends.runtimes.tensorflow.modes import MODES
from tfaas_backends.runtimes.tensorflow.preload import PRELOAD
from tfaas_backends.runtimes.vetting.doubts import doubts
from tfaas_core.models.params import Params
from tfaas_core.runtime import Accelerator, LoadOptions, Runtime, Servable, Verdict

_FILES = ("saved_model.pb", "saved_model.pbtxt")


class SavedModelRuntime(Runtime):
    """Loads a folder that tf.saved_model.save, Keras' export or TensorFlow 1 wrote.

    Serves one signature: the one that ``params.signature`` names, or else ``serving_default``, or
    the only one. Inputs and outputs have the signature's names; ``inputNode`` and ``outputNode``
    choose among them, and may name any tensor of the graph. Inputs that no output needs are not
    asked for. ``params.document["tags"]`` chooses the graph, ``serve`` by default. All dtypes of
    ``tensors.NUMPY_DTYPES`` are served; bfloat16 is sent and answered as float32.
    """

    preload = PRELOAD
    modes = MODES

    nouns = ("saved_model.pb", "SavedModels")

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        """Sure of a folder with a saved_model.pb or saved_model.pbtxt."""
        is_one = any((artifact / name).is_file() for name in _FILES)
        return Verdict.SURE if is_one else Verdict.NO

    def find(self, folder: Path) -> Iterable[Path]:
        """Folders with one of these, at any depth."""
        return {file.parent for name in _FILES for file in folder.rglob(name)}

    def file_name(self, uploaded: str) -> str:
        return _FILES[0]

    def examine(self, options: LoadOptions) -> list[str]:
        return doubts(options.allow_ops)

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        # Only here: it imports TensorFlow.
        from tfaas_backends.runtimes.saved_model.servable import load_saved_model

        return load_saved_model(artifact, params, options)

    def accelerator(self) -> Accelerator:
        return LiteAccelerator()

    def count_ops(self, artifact: Path, params: Params) -> dict[str, int]:
        """Those of the graph that would be loaded, with all its functions."""
        from tfaas_backends.runtimes.saved_model.folder import read_meta_graph, tags_of
        from tfaas_backends.runtimes.tensorflow.graph_file import count_ops

        return count_ops(read_meta_graph(artifact, tags_of(params)).graph_def)
