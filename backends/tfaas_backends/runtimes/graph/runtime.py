"""The ``graph`` runtime: frozen TensorFlow graphs, GraphDef files."""

from __future__ import annotations

import re
from collections.abc import Iterable
from pathlib import Path

from tfaas_backends.runtimes.litert.accelerator import LiteAccelerator
from tfaas_backends.runtimes.tensorflow.modes import MODES
from tfaas_backends.runtimes.tensorflow.preload import PRELOAD
from tfaas_backends.runtimes.vetting.doubts import doubts
from tfaas_core.files.archives import archive_at
from tfaas_core.models.params import Params
from tfaas_core.runtime import Accelerator, LoadOptions, Runtime, Servable, Verdict

_START_BYTES = 4096

# Field 1 of a GraphDef is a node, whose field 1 is its name, and field 2 its op. Each is preceded
# by its length: 7 bits a byte, the lowest first.
_NODE = re.compile(
    rb"\n[\x80-\xff]{0,4}[\x00-\x7f]"
    rb"\n([\x80-\xff]?[\x01-\x7f])([A-Za-z0-9.][\w./\\>-]*)"
    rb"\x12([\x80-\xff]?[\x01-\x7f])([A-Za-z_][\w.>-]*)"
)


class GraphRuntime(Runtime):
    """Loads a file that holds a GraphDef whose variables are constants.

    Inputs and outputs are the nodes that the params name, or else the placeholders without a
    default, and the nodes in which the graph ends. A Keras learning phase is off. All dtypes of
    ``tensors.NUMPY_DTYPES`` are served; bfloat16 is sent and answered as float32.
    """

    preload = PRELOAD
    modes = MODES

    suffixes = (".pb",)
    nouns = ("graph (.pb)", "graphs (.pb)")

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        """Sure of a file that begins with a node. Any other may be one, but no archive is.

        A GraphDef has no mark, and need not begin with a node; what is none is told when it is
        loaded, in words that help.
        """
        if not artifact.is_file() or archive_at(artifact) is not None:
            return Verdict.NO
        return Verdict.SURE if _begins_with_node(artifact) else Verdict.MAYBE

    def find(self, folder: Path) -> Iterable[Path]:
        """None if there is a SavedModel: a .pb beside or in that belongs to it."""
        if any(any(folder.rglob(name)) for name in ("saved_model.pb", "saved_model.pbtxt")):
            return []
        return super().find(folder)

    def examine(self, options: LoadOptions) -> list[str]:
        return doubts(options.allow_ops)

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        # Only here: it imports TensorFlow.
        from tfaas_backends.runtimes.graph.servable import load_graph

        return load_graph(artifact, params, options)

    def accelerator(self) -> Accelerator:
        return LiteAccelerator()

    def count_ops(self, artifact: Path, params: Params) -> dict[str, int]:
        """Those of the functions in the graph included."""
        from tfaas_backends.runtimes.tensorflow.graph_file import count_ops, read_graph

        return count_ops(read_graph(artifact))


def _begins_with_node(file: Path) -> bool:
    """Whether the file begins with a node as TensorFlow names them. Raises OSError."""
    with file.open("rb") as opened:
        found = _NODE.match(opened.read(_START_BYTES))
    if found is None:
        return False
    return len(found[2]) == _number(found[1]) and len(found[4]) == _number(found[3])


def _number(varint: bytes) -> int:
    return sum((byte & 0x7F) << 7 * place for place, byte in enumerate(varint))
