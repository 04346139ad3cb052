"""Files of frozen graphs: refused, or nothing in them is an op that is not on the list."""

from __future__ import annotations

from tfaas_backends.runtimes.tensorflow.graph_file import count_ops, prepare, read_graph
from tfaas_backends.runtimes.tensorflow.quiet import tf
from tfaas_backends.runtimes.vetting.file_ops import FILE_OPS
from tfaas_backends.runtimes.vetting.graph_vetting import vet_graph
from tfaas_backends.runtimes.vetting.op_lists import ALLOWED_OPS

from tests.fuzz.mutations import mutator
from tests.fuzz.rooms import room
from tests.fuzz.walk import check_names
from tests.fuzz.words import WORDS
from tfaas_core.errors import TfaasError
from tfaas_core.testing.suites.codec.case import assert_clients_error

mutate = mutator(tf.compat.v1.GraphDef, WORDS)


def check(data: bytes) -> None:
    try:
        with room() as folder:
            file = folder / "model"
            file.write_bytes(data)
            graph_def = read_graph(file)
        vet_graph(graph_def, (), len(data)).check_none()
    except TfaasError as error:
        assert_clients_error(error, repr(data[:200]))
        return
    check_names(graph_def, ALLOWED_OPS - FILE_OPS.keys())
    count_ops(graph_def)
    prepare(graph_def, ())
