"""Ops that no CPU can run: a model that has them was made for graphics cards, or for TPUs."""

from __future__ import annotations

import os
import re
from collections.abc import Collection, Iterable, Mapping
from typing import Any

from tfaas_backends.runtimes.tensorflow.private import xla
from tfaas_backends.runtimes.tensorflow.pruning import called, node_of, reachable
from tfaas_backends.runtimes.tensorflow.registered import ONLY_ON_GPU
from tfaas_core.errors import CannotServe

_ON_TPU = re.compile(r"_?TPU\w*|\w+(On|For|To)?TPU\w*|(In|Out)feed\w+")
_BY_CHANNEL = re.compile(
    r"(Depthwise)?Conv2[Dd](Native)?|Conv3D|(Max|Avg)Pool(V2|3D)?|Conv[23]DBackpropInput(V2)?"
    r"|DepthToSpace|SpaceToDepth"
)
"""Ops that CPUs can run only if the channels come last."""

_XLA = "XlaCallModule"
_OLDEST_XLA = 4


def check_devices(graph_def: Any, roots: Iterable[str], fed: Collection[str] = ()) -> None:
    """Raises CannotServe if what ``roots`` depend on has an op that no CPU can run.

    ``roots`` and ``fed`` are names of nodes; those that are fed are not run. TensorFlow itself
    tells this only of ops outside of functions; of others not before they run.
    """
    functions = {function.signature.name: function for function in graph_def.library.function}
    run = {node.name: node for node in graph_def.node if node.name not in fed}
    waiting = [reachable(run, roots)]
    seen: set[str] = set()
    while waiting:
        body = waiting.pop()
        nodes = {node.name: node for node in body}
        for node in body:
            _check(node)
            new = set(_called(node, nodes)) & functions.keys() - seen
            seen |= new
            waiting += [_body(functions[name]) for name in sorted(new)]


def _body(function: Any) -> list[Any]:
    """The nodes of a function that a call runs."""
    ends = [*function.ret.values(), *function.control_ret.values()]
    return reachable({node.name: node for node in function.node_def}, map(node_of, ends))


def _called(node: Any, nodes: Mapping[str, Any]) -> Iterable[str]:
    """The functions that a node may call here: of those for several devices, the CPU's."""
    if node.op not in ("Case", "StatelessCase"):
        return called(node)
    index = nodes.get(node_of(node.input[0]))
    devices = [] if index is None else _texts(index, "device_names")
    if index is None or index.op != "DeviceIndex" or b"CPU" not in devices:
        return called(node)
    branches = node.attr["branches"].list.func
    return [branch.name for branch in branches[devices.index(b"CPU") :][:1]]


def _texts(node: Any, attribute: str) -> list[bytes]:
    # One that is only asked for would be added, without a value: TensorFlow would refuse that.
    return list(node.attr[attribute].list.s) if attribute in node.attr else []


def _check(node: Any) -> None:
    if node.op == _XLA:
        _check_xla(node)
    elif _ON_TPU.fullmatch(node.op):
        raise _made_for("TPUs", node, "")
    elif node.op in ONLY_ON_GPU:
        how = ", of Keras layers with use_cudnn=False" if node.op.startswith("Cudnn") else ""
        raise _made_for("graphics cards", node, how)
    elif _BY_CHANNEL.fullmatch(node.op) and _channels_first(node):
        how = " with the channels last: data_format NHWC, or in Keras channels_last"
        raise _made_for("graphics cards", node, how, " with the channels first")


def _made_for(devices: str, node: Any, how: str, what: str = "") -> CannotServe:
    return CannotServe(
        f"node {node.name!r} uses {node.op!r}{what}, which only {devices} can run, but this server"
        f" computes on CPUs: export the model for CPUs{how}",
        op=node.op,
    )


def _channels_first(node: Any) -> bool:
    # With oneDNN, which is off unless the environment says otherwise, CPUs can do it.
    without = os.environ.get("TF_ENABLE_ONEDNN_OPTS") == "0"
    return without and "data_format" in node.attr and node.attr["data_format"].s[:2] == b"NC"


def _check_xla(node: Any) -> None:
    platforms = [name.decode(errors="replace") for name in _texts(node, "platforms")]
    checked = b"platform" not in _texts(node, "disabled_checks")
    if checked and platforms and "CPU" not in platforms:
        raise CannotServe(
            f"node {node.name!r} is XLA code for {', '.join(platforms)} only, but this server"
            " computes on CPUs: export the model for them too, as JAX does by jax2tf.convert(...,"
            " native_serialization_platforms=('cpu', 'cuda'))",
            op=node.op,
        )
    version, newest = node.attr["version"].i, xla.call_module_maximum_supported_version()
    if not _OLDEST_XLA <= version <= newest:
        raise CannotServe(
            f"node {node.name!r} is XLA code in format {version}, but this server's TensorFlow"
            f" reads formats {_OLDEST_XLA} to {newest}: export it with another version of JAX",
            op=node.op,
        )
