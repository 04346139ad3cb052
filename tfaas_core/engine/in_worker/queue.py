"""The bound of a queue: how many rows may wait for one model."""

from __future__ import annotations

from tfaas_core.errors import QueueFull


def refusal(waiting_rows: int, most_ahead: int, model: str) -> QueueFull:
    """The error of a request that is one too many, or would wait too long behind ``most_ahead``."""
    if waiting_rows <= most_ahead:
        return queue_full(waiting_rows, model)
    return QueueFull(
        f"{waiting_rows} rows are waiting for model {model!r}, so that this one's turn would not "
        "come in time (engine.max_wait_s); try again later",
        model=model,
    )


def queue_full(waiting_rows: int, model: str, until: str = "") -> QueueFull:
    """The error of a request beyond ``engine.max_queue_rows``; ``until``: what the others do."""
    return QueueFull(
        f"{waiting_rows} rows are waiting for model {model!r}{until}, which is all that "
        "engine.max_queue_rows allows; try again later",
        model=model,
    )
