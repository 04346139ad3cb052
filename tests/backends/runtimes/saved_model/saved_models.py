"""SavedModels for tests: written as TensorFlow 1 and 2 write them, changed, loaded."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime
from tfaas_backends.runtimes.tensorflow.quiet import tf

from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable

v1 = tf.compat.v1
Tensors = Mapping[str, Any]


def load(folder: Path, options: LoadOptions | None = None, **document: Any) -> Servable:
    """Loads with these params, and one thread unless ``options`` say so; nobody need close it."""
    options = options or LoadOptions(threads=1)
    return SavedModelRuntime().load(folder, Params.of(document), options)


def answers(servable: Servable, *arrays: Any) -> dict[str, Any]:
    """A run's outputs by name."""
    names = [spec.name for spec in servable.signature.outputs]
    return dict(zip(names, servable.run(arrays), strict=True))


def names(specs: Sequence[Any]) -> list[str]:
    return [spec.name for spec in specs]


def function(body: Callable[..., Any], **inputs: Any) -> Any:
    """``body`` as a tf.function that takes ``inputs``, TensorSpecs or dtypes of free vectors."""
    specs = [
        tf.TensorSpec(s.shape, s.dtype, name)
        if isinstance(s, tf.TensorSpec)
        else tf.TensorSpec([None], s, name)
        for name, s in inputs.items()
    ]
    return tf.function(body, input_signature=specs, autograph=False)


def save(folder: Path, signatures: Any, module: Any = None, **options: Any) -> Path:
    """Saves as TensorFlow 2 does; ``signatures``: a function, or several by name."""
    module = module or tf.Module()
    if not isinstance(signatures, dict):
        signatures = {"serving_default": signatures}
    # The module has to own the functions: they keep only weak references to their variables.
    module.functions = list(signatures.values())
    settings = tf.saved_model.SaveOptions(**options)
    tf.saved_model.save(module, str(folder), signatures, settings)
    return folder


def save_v1(
    folder: Path,
    build: Callable[[], tuple[Tensors, Tensors]],
    tags: Sequence[str] = ("serve",),
    resources: bool = True,
) -> Path:
    """Saves as TensorFlow 1 did: the inputs and outputs that ``build`` gives, by name.

    ``resources``: variables are resources rather than references.
    """
    with tf.Graph().as_default(), v1.variable_scope("", use_resource=resources):
        inputs, outputs = build()
        with v1.Session() as session:
            session.run(v1.global_variables_initializer())
            builder = v1.saved_model.Builder(str(folder))
            builder.add_meta_graph_and_variables(
                session,
                tags,
                {"serving_default": v1.saved_model.predict_signature_def(inputs, outputs)},
                assets_collection=v1.get_collection(v1.GraphKeys.ASSET_FILEPATHS),
                main_op=v1.tables_initializer(),
                strip_default_attrs=True,
            )
            builder.save()
    return folder


def edit(folder: Path, change: Callable[[Any], Any]) -> Path:
    """Changes the MetaGraphDef of a saved model in place."""
    from tensorflow.core.protobuf import saved_model_pb2

    file = folder / "saved_model.pb"
    content = saved_model_pb2.SavedModel.FromString(file.read_bytes())
    change(content.meta_graphs[0])
    file.write_bytes(content.SerializeToString())
    return folder


def add_node(meta_graph: Any, name: str, op: str, inputs: Sequence[str] = ()) -> Any:
    """Adds a node to the graph, without attributes."""
    node = meta_graph.graph_def.node.add(name=name, op=op)
    node.input.extend(inputs)
    return node
