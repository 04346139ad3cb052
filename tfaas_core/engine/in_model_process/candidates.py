"""What a process finds out of a candidate before it loads it, or if that fails."""

from __future__ import annotations

import os
from contextlib import suppress

import msgspec

from tfaas_core.engine.base import Candidate
from tfaas_core.models.params import BatchParams, Params
from tfaas_core.tensors import BatchAxis


def params_of(candidate: Candidate, mergeable: bool | None = None, shared_rows: int = 0) -> Params:
    """The params, with what is known already: the batch axis, and which rows may share a run."""
    params = Params.of(candidate.params)
    params = msgspec.structs.replace(params, shared_rows=shared_rows or params.shared_rows)
    if candidate.batch is None:
        return params
    merge = mergeable if candidate.batch is BatchAxis.FREE else None
    batch = BatchParams(candidate.batch, params.batch.merge if merge is None else merge)
    return msgspec.structs.replace(params, batch=batch)


def can_be_opened(path: str) -> bool:
    """What was away as this process was confined, it can never open."""
    with suppress(OSError):
        os.close(os.open(path, os.O_RDONLY))
        return True
    return False
