"""Environment: the variables that the server's processes may see."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from fnmatch import fnmatchcase

_NAMES = (
    *("HOME", "LANG", "LANGUAGE", "LD_LIBRARY_PATH", "LD_PRELOAD", "PATH", "TMPDIR", "TZ"),
    *("GLIBC_TUNABLES", "MKL_NUM_THREADS", "OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS"),
)
_BEGINNINGS = ("KERAS_", "LC_", "MALLOC_", "PYTHON", "TF_", "XLA_")
_SECRETS = ("TF_VAR_", "TF_TOKEN_")
"""Terraform's, which hold what it is to be told."""


def clean_environment(environ: Mapping[str, str], further: Collection[str]) -> dict[str, str]:
    """What a process that runs models sees; ``further`` are names that somebody has asked for."""
    return {
        name: value
        for name, value in environ.items()
        if name in further
        or name in _NAMES
        or (name.startswith(_BEGINNINGS) and not name.startswith(_SECRETS))
    }


def hidden_variables(
    environ: Mapping[str, str], patterns: Collection[str], named: Collection[str]
) -> frozenset[str]:
    """What an HTTP worker does not see: no pattern fits it, and it is neither usual nor named."""
    kept = clean_environment(environ, named)
    return frozenset(
        name
        for name in environ
        if name not in kept and not any(fnmatchcase(name, pattern) for pattern in patterns)
    )
