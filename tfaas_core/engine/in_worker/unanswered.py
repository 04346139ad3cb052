"""Unanswered: the errors of requests that their model's process does not answer."""

from __future__ import annotations

from tfaas_core.engine.shared.suspect import details_of, named
from tfaas_core.errors import DeadlinePassed, ModelLost


def model_lost(model: str, plugin: str) -> ModelLost:
    """The process is gone. ``plugin``: the module to blame, if there is one."""
    return ModelLost(
        f"the process of {named(f'model {model!r}', plugin)} died under this request; try again",
        **details_of(model, plugin),
    )


def deadline_passed(model: str, timeout_s: float) -> DeadlinePassed:
    """There is no answer in time."""
    return DeadlinePassed(
        f"model {model!r} did not answer within {timeout_s:g} s (server.request_timeout_s)",
        model=model,
    )
