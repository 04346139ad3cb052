"""The ``graph`` runtime: frozen TensorFlow graphs, GraphDef files."""

from __future__ import annotations

from pathlib import Path

from tfaas_core.archives import archive_at
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Runtime, Servable


class GraphRuntime(Runtime):
    """Loads a file that holds a GraphDef whose variables are constants.

    Inputs and outputs are the nodes that the params name, or else the placeholders without a
    default, and the nodes in which the graph ends. A Keras learning phase is off. All dtypes of
    ``tensors.NUMPY_DTYPES`` are served; bfloat16 is sent and answered as float32.
    """

    # The same as the saved_model runtime's, so that they share a fork server.
    preload = ("tfaas_backends.runtimes.saved_model.servable",)

    def recognises(self, artifact: Path) -> bool:
        """Any file that is no archive and not compressed: a GraphDef itself begins with no mark."""
        return artifact.is_file() and archive_at(artifact) is None

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        # Only here: it imports TensorFlow.
        from tfaas_backends.runtimes.graph.servable import load_graph

        return load_graph(artifact, params, options.threads)

    def count_ops(self, artifact: Path, params: Params) -> dict[str, int]:
        """Those of the functions in the graph included."""
        from tfaas_backends.runtimes.tensorflow.graph_file import count_ops, read_graph

        return count_ops(read_graph(artifact))
