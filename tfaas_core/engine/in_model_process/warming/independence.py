"""What a servable's runtime proves of its rows; if that fails, nothing is proven."""

from __future__ import annotations

from tfaas_core.engine.in_model_process.origin import Origin
from tfaas_core.engine.in_model_process.servable_check import check_independence
from tfaas_core.runtime import Independence, Servable, Shapes

_FAILED = "the proof that its rows are independent failed"


def independence_of(
    servable: Servable, origin: Origin, shapes: Shapes | None = None
) -> Independence:
    """Whether rows may share a run; ``shapes``: see ``Servable.independence``.

    A runtime's bug, with which a model can be served all the same, is logged.
    """
    try:
        proof = servable.independence() if shapes is None else servable.independence(shapes)
        check_independence(proof)
        return proof
    except BaseException as error:  # SystemExit, too: whoever asks is to be answered
        origin.broke("cannot prove that its rows are independent", error)
        return Independence(False, _FAILED)
