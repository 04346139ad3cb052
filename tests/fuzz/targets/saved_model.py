"""SavedModels: refused, or no graph of them holds an op that is not on the list, or one that
reaches for files other than their own."""

from __future__ import annotations

from typing import Any

from tfaas_backends.runtimes.saved_model.folder import BINARY, init_nodes
from tfaas_backends.runtimes.saved_model.vetted import read_vetted
from tfaas_backends.runtimes.tensorflow.private import saved_model_pb2
from tfaas_backends.runtimes.vetting.file_ops import FILE_OPS
from tfaas_backends.runtimes.vetting.op_lists import ALLOWED_OPS

from tests.fuzz.mutations import mutator, parts
from tests.fuzz.rooms import room
from tests.fuzz.walk import check_names
from tests.fuzz.words import WORDS
from tfaas_core.errors import TfaasError
from tfaas_core.runtime import LoadOptions
from tfaas_core.testing.suites.codec.case import assert_clients_error

_ALLOWED = ALLOWED_OPS.union(FILE_OPS)

mutate = mutator(saved_model_pb2.SavedModel, WORDS)


def check(data: bytes) -> None:
    try:
        with room() as folder:
            (folder / BINARY).write_bytes(data)
            vetted = read_vetted(folder, frozenset({"serve"}), LoadOptions())
    except TfaasError as error:
        assert_clients_error(error, repr(data[:200]))
        return
    for meta_graph in saved_model_pb2.SavedModel.FromString(data).meta_graphs:
        check_names(meta_graph.graph_def, _ALLOWED)
        _check_files(meta_graph)
    init_nodes(vetted.meta_graph)


def _check_files(meta_graph: Any) -> None:
    """Without a name that the saver or an asset has, there is nothing that reaches for files."""
    assets = any(part.DESCRIPTOR.name == "AssetFileDef" for part in parts(meta_graph))
    if not (meta_graph.saver_def.filename_tensor_name or assets):
        nodes = [part for part in parts(meta_graph.graph_def) if part.DESCRIPTOR.name == "NodeDef"]
        for node in nodes:
            # Savers of TensorFlow 1 that nothing runs have a file's name of a constant.
            assert node.op not in FILE_OPS or node.input, f"let in, though {node.name} is {node.op}"
