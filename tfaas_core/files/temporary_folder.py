"""The folder for temporary files."""

from __future__ import annotations

import tempfile

from tfaas_core.errors import ConfigError


def temporary_folder() -> str:
    """Where temporary files go: ``TMPDIR``, or else ``/tmp``. Raises ConfigError without any.

    A container whose root is read-only has none, unless one is mounted there.
    """
    try:
        return tempfile.gettempdir()
    except FileNotFoundError as error:
        raise ConfigError(
            "there is no folder for temporary files: nothing can be written in /tmp, /var/tmp or "
            "the current folder; mount one at /tmp, or name another one in the variable TMPDIR"
        ) from error
