"""What TensorFlow has registered, asked for as this is imported: once for all that is forked then.

A model's process would spend a third of its load on these questions, and memory of its own on what
TensorFlow keeps of some of them.
"""

from __future__ import annotations

from collections import defaultdict

from tfaas_backends.runtimes.tensorflow.private import kernels, op_def_registry, pywrap_xla_ops


def _only_on_gpu() -> frozenset[str]:
    devices: dict[str, set[str]] = defaultdict(set)
    for kernel in kernels.get_all_registered_kernels().kernel:
        devices[kernel.op].add(kernel.device_type)
    on_gpu = (op for op, found in devices.items() if "GPU" in found)
    return frozenset(op for op in on_gpu if devices[op].isdisjoint(("CPU", "DEFAULT")))


ONLY_ON_GPU = _only_on_gpu()
"""The names of the ops that graphics cards can run, and CPUs cannot."""

# What each session asks: the first time, all kernels of XLA are registered for it.
pywrap_xla_ops.get_cpu_kernel_names()

# The first time that a name is no op, and then the first time that it is one, it takes longer, too.
for _name in ("", "NoOp"):
    op_def_registry.get(_name)
