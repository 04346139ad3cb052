"""The bound of a queue: how many rows may wait for one model."""

from __future__ import annotations

from tfaas_core.errors import QueueFull


def queue_full(waiting_rows: int, model: str, until: str = "") -> QueueFull:
    """The error of a request beyond ``engine.max_queue_rows``; ``until``: what the others do."""
    return QueueFull(
        f"{waiting_rows} rows are waiting for model {model!r}{until}, which is all that "
        "engine.max_queue_rows allows; try again later",
        model=model,
    )
