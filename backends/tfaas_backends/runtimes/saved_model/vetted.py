"""A SavedModel's graph, vetted before TensorFlow sees it: with all others that the folder holds."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from tfaas_backends.runtimes.saved_model.assets import asset_nodes, read_directly
from tfaas_backends.runtimes.saved_model.folder import BINARY, read_saved_model, with_tags
from tfaas_backends.runtimes.saved_model.layout import check_layout
from tfaas_backends.runtimes.tensorflow.errors import load_error
from tfaas_backends.runtimes.tensorflow.pruning import node_of
from tfaas_backends.runtimes.vetting.file_ops import FileUses, Sources
from tfaas_backends.runtimes.vetting.graph_vetting import vet_graph
from tfaas_core.errors import TfaasError
from tfaas_core.runtime import LoadOptions


class Vetted(msgspec.Struct, frozen=True):
    """A MetaGraphDef, and how its graph uses files; None if the server's operator asks nobody."""

    meta_graph: Any
    uses: FileUses | None


def read_vetted(folder: Path, tags: frozenset[str], options: LoadOptions) -> Vetted:
    """The graph with exactly these tags, which reads its assets' paths directly.

    Raises what ``read_meta_graph`` raises, and CannotServe if the folder, or any graph in it,
    holds what a model must not.
    """
    try:
        return _read(folder, tags, options)
    except TfaasError:
        raise
    except Exception as error:  # of a broken graph, TensorFlow's messages raise nearly anything
        raise load_error(error, memory_bytes=options.memory_bytes) from None


def _read(folder: Path, tags: frozenset[str], options: LoadOptions) -> Vetted:
    saved_model = read_saved_model(folder)
    for each in saved_model.meta_graphs:
        read_directly(each.graph_def, asset_nodes(each))
    meta_graph = with_tags(saved_model, tags)
    if options.policy == "off":
        return Vetted(meta_graph, None)
    check_layout(folder)
    file_bytes = (folder / BINARY).stat().st_size
    uses = None
    for each in saved_model.meta_graphs:
        sources = Sources(asset_nodes(each), {node_of(each.saver_def.filename_tensor_name)} - {""})
        found = vet_graph(each.graph_def, options.allow_ops, file_bytes, sources)
        if uses is None and tags == set(each.meta_info_def.tags):
            uses = found
    return Vetted(meta_graph, uses)
