"""The command line, one command a file. What a command needs is imported when it runs."""

from __future__ import annotations

from collections.abc import Sequence

_INTERRUPTED = 130


def main(arguments: Sequence[str] | None = None) -> int:
    """Runs the command that ``arguments``, or else ``sys.argv``, name; gives its exit status.

    0: done, 1: failed, 2: wrong usage, 130: ended by Ctrl-C. An error is one line on stderr. With
    ``sys.argv``, the process is a command's own, and threads that plugins have left do not hold it.
    """
    try:
        # Ctrl-C may come while this is imported.
        from tfaas_core.cli.group import run_command
        from tfaas_core.cli.threads import end_without_waiting

        status = run_command(arguments)
        if arguments is None:
            end_without_waiting(status)
        return status
    except KeyboardInterrupt:
        return _INTERRUPTED
