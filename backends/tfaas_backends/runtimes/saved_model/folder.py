"""A SavedModel's folder: its graphs, read and told from what they are not, and its other files."""

from __future__ import annotations

import os
import weakref
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from tfaas_backends.runtimes.tensorflow.errors import one_line
from tfaas_backends.runtimes.tensorflow.private import saved_model_pb2
from tfaas_backends.runtimes.tensorflow.pruning import node_of
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.wire import check_parts
from tfaas_core.errors import BadBody, CannotServe, DoesNotFit, StorageUnavailable
from tfaas_core.models.params import Params
from tfaas_core.texts.spelling import printable

BINARY, TEXT = "saved_model.pb", "saved_model.pbtxt"
_VARIABLES = "variables/variables"
_SERVE = "serve"
_INIT_SIGNATURE = "__saved_model_init_op"
_INIT_COLLECTIONS = ("saved_model_main_op", "legacy_init_op")


class HeldFolder:
    """A folder that is found again after it was renamed, as storing a version does.

    ``path`` leads to it for as long as this object lives, in this process alone.
    """

    def __init__(self, folder: Path) -> None:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        weakref.finalize(self, os.close, descriptor)
        self.path = Path(f"/proc/self/fd/{descriptor}")


def tags_of(params: Params) -> frozenset[str]:
    """The tags of the graph to load: ``serve`` if ``params`` do not say otherwise.

    An empty list stands for a graph without tags; null and empty text say nothing.
    """
    tags = params.document.get("tags")
    if tags is None or tags == "":
        tags = _SERVE
    if isinstance(tags, str):
        tags = tags.split(",")
    if not isinstance(tags, list) or not all(isinstance(tag, str) for tag in tags):
        raise DoesNotFit("params.tags is neither a string nor a list of strings", field="tags")
    return frozenset(tag.strip() for tag in tags)


def read_saved_model(folder: Path) -> Any:
    """The SavedModel that the folder holds.

    Raises BadBody if it holds none that can be read, CannotServe if it is too large, or text.
    """
    if not (folder / BINARY).is_file():
        if (folder / TEXT).is_file():
            raise CannotServe(
                f"the SavedModel is in text format ({TEXT}): save it as {BINARY}", field="model"
            )
        raise BadBody(f"the model's folder holds no {BINARY}: it is no SavedModel", field="model")
    return _parsed(folder / BINARY)


def read_meta_graph(folder: Path, tags: frozenset[str]) -> Any:
    """The MetaGraphDef with exactly these tags; raises what its two halves raise."""
    return with_tags(read_saved_model(folder), tags)


def with_tags(saved_model: Any, tags: frozenset[str]) -> Any:
    """The MetaGraphDef with exactly these tags; raises CannotServe if there is none."""
    found = saved_model.meta_graphs
    for meta_graph in found:
        if tags == set(meta_graph.meta_info_def.tags):
            return meta_graph
    there = [_shown(meta_graph.meta_info_def.tags) for meta_graph in found]
    raise CannotServe(
        f"the SavedModel has no graph with the tags {_shown(tags)}, only with {', '.join(there)}:"
        f' say in the params which to load, like "tags": {there[0]}',
        field="tags",
    )


def _shown(tags: Iterable[str]) -> str:
    return "[" + ", ".join(f'"{printable(tag)}"' for tag in sorted(tags)) + "]"


def _parsed(file: Path) -> Any:
    try:
        content = file.read_bytes()
    except OSError as error:
        raise StorageUnavailable(f"{file.name} cannot be read: {error.strerror}") from None
    if not content:
        raise BadBody(f"{file.name} is empty", field="model")
    check_parts(content, saved_model_pb2.SavedModel, file.name)
    saved_model = saved_model_pb2.SavedModel()
    try:
        saved_model.ParseFromString(content)
    except Exception:  # the parser's own error, and what it raises on absurd lengths
        raise _not_a_saved_model(file.name, content) from None
    if not any(graph.graph_def.node for graph in saved_model.meta_graphs):
        raise _not_a_saved_model(file.name, content)
    return saved_model


def _not_a_saved_model(name: str, content: bytes) -> BadBody | CannotServe:
    try:
        if any(node.op for node in tf.compat.v1.GraphDef.FromString(content).node):
            return CannotServe(
                f"{name} holds a frozen graph, not a SavedModel: upload the file by itself",
                field="model",
            )
    except Exception:  # as above
        pass
    return BadBody(f"{name} is not a SavedModel, or a damaged one", field="model")


def checkpoint(folder: Path) -> str:
    """What the files with the variables' values begin with; raises BadBody if they are not."""
    index = folder / f"{_VARIABLES}.index"
    if not index.is_file() or not any(index.parent.glob("variables.data-*")):
        raise BadBody(
            "the SavedModel's variables are missing: pack the whole folder, with its variables/",
            field="model",
        )
    return str(folder / _VARIABLES)


def damaged(error: Exception, folder: Path) -> BadBody:
    """The answer if TensorFlow cannot read the variables' values."""
    what = without_place(one_line(error), folder)
    return BadBody(f"the SavedModel's variables are damaged: {what}", field="model")


def init_nodes(meta_graph: Any) -> list[str]:
    """The nodes that have to be run once before the graph can be: they fill tables."""
    if _INIT_SIGNATURE in meta_graph.signature_def:
        outputs = meta_graph.signature_def[_INIT_SIGNATURE].outputs
        return [node_of(info.name) for info in outputs.values()]
    for collection in _INIT_COLLECTIONS:
        if collection in meta_graph.collection_def:
            return list(map(node_of, meta_graph.collection_def[collection].node_list.value))
    return []


def without_place(message: str, folder: Path) -> str:
    """What TensorFlow says of files in ``folder``, without telling where on this machine it is."""
    return message.replace(f"{folder}/", "").replace(str(folder), "the folder")
