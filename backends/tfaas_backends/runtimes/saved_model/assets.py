"""A SavedModel's own files, such as vocabularies, and how its graph is told where they are."""

from __future__ import annotations

from collections.abc import Collection, Iterable
from pathlib import Path, PurePosixPath
from typing import Any

from tfaas_backends.runtimes.tensorflow.private import meta_graph_pb2
from tfaas_backends.runtimes.tensorflow.pruning import node_of
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_core.errors import CannotServe

_COLLECTION = "saved_model_assets"


def assets(meta_graph: Any, folder: Path) -> dict[str, str]:
    """The paths of the graph's own files, such as vocabularies, under the nodes that tell them.

    Raises CannotServe if one is not in the folder.
    """
    return {
        node_of(asset.tensor_info.name): str(_asset_path(folder, asset.filename))
        for asset in _assets(meta_graph)
    }


def asset_nodes(meta_graph: Any) -> set[str]:
    """The nodes that tell the paths of the graph's own files, whether these are there or not.

    Raises CannotServe if one is not in the folder.
    """
    for asset in _assets(meta_graph):
        _check_name(asset.filename)
    return {node_of(asset.tensor_info.name) for asset in _assets(meta_graph)}


def _assets(meta_graph: Any) -> Iterable[Any]:
    return meta_graph.asset_file_def or _collected_assets(meta_graph)


def _collected_assets(meta_graph: Any) -> list[Any]:
    if _COLLECTION not in meta_graph.collection_def:
        return []
    found = meta_graph.collection_def[_COLLECTION].any_list.value
    return [meta_graph_pb2.AssetFileDef.FromString(packed.value) for packed in found]


def _check_name(name: str) -> None:
    path = PurePosixPath(name)
    if path.is_absolute() or ".." in path.parts or "\0" in name:
        raise CannotServe(f"the SavedModel's asset {name!r} leads out of its folder", field="model")


def _asset_path(folder: Path, name: str) -> Path:
    _check_name(name)
    path = folder / "assets" / name
    if not path.is_file():
        raise CannotServe(
            f"the SavedModel's asset {name!r} is missing: pack the whole folder, with its assets/",
            field="model",
        )
    return path


def read_directly(graph_def: Any, assets: Collection[str]) -> None:
    """Changes what reads a variable that is set to an asset's path to read the path itself.

    TensorFlow 2 writes it so. Without the variable in between, the graph shows which file is read.
    """
    paths = {
        node_of(node.input[0]): node.input[1]
        for node in graph_def.node
        if node.op == "AssignVariableOp" and node_of(node.input[1]) in assets
    }
    for node in graph_def.node:
        if node.op == "ReadVariableOp" and node_of(node.input[0]) in paths:
            _make_identity(node, paths[node_of(node.input[0])])


def _make_identity(node: Any, path: str) -> None:
    node.op = "Identity"
    node.input[:] = [path]
    node.attr.clear()
    node.attr["T"].type = tf.string.as_datatype_enum
