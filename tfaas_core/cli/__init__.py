"""The command line, one command a file. What a command needs is imported when it runs."""

from __future__ import annotations

from collections.abc import Sequence

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that ``arguments``, or else ``sys.argv``, name; gives its exit status.

    0: done, 1: failed, 2: wrong usage, 130: ended by Ctrl-C. An error is one line on stderr.
    """
    try:
        # Ctrl-C may come while this is imported.
        from tfaas_core.cli.group import run_command

        return run_command(arguments)
    except KeyboardInterrupt:
        return _INTERRUPTED
