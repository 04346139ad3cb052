"""File limit: whether the server may open as many files as its configuration makes it open."""

from __future__ import annotations

from tfaas_core.config import Config

_PER_MODEL = 6
"""In the parent: the link to its process, its meter, what it prints, and what a start takes."""

_PER_WORKER = 8
_OWN = 64
_CONNECTIONS = 256
"""That clients may have with an HTTP worker at least, before it has to turn some away."""

_PER_MODEL_IN_WORKER = 2


def needed_files(config: Config, workers: int) -> int:
    """How many files the process that opens the most of them may have open."""
    models = config.engine.max_loaded_models
    parent = _OWN + _PER_WORKER * workers + _PER_MODEL * models
    return max(parent, _OWN + _CONNECTIONS + _PER_MODEL_IN_WORKER * models)


def too_few_files(config: Config, workers: int, limit: int) -> str:
    """What the log says if ``limit`` is too low for that; empty if it is not."""
    needed = needed_files(config, workers)
    if limit >= needed:
        return ""
    return (
        f"each process of the server may open {limit} files, which is too few for "
        f"engine.max_loaded_models = {config.engine.max_loaded_models} and its clients: raise the "
        f"limit to {needed} or more (`ulimit -n`, or LimitNOFILE= of systemd)"
    )
