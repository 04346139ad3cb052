"""``python -m tfaas_core.testing.fuzz MODULE:CHECK``: calls a FuzzCheck with made-up inputs.

Coverage guides it (https://github.com/google/atheris, the extra ``fuzz``): an input that reaches a
line which none reached before is kept, and changed further. Only the packages of ``--instrument``
are watched, and only if nothing has imported them before. If the module has a function ``mutate``,
as atheris has it, that changes the inputs.
"""

from __future__ import annotations

import argparse
import faulthandler
import importlib
import logging
import resource
import signal
import sys
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any

_SLOWED = 6
"""How much slower watched code is, at most."""

_MORE_BYTES = 2 << 30
"""So much address space may a process take once all is imported."""

_MOST_FILES = 256


def main(arguments: Sequence[str]) -> None:
    """Fuzzes, until an input fails or the flags say otherwise. Exits with 77 for one that fails."""
    ours, theirs = _split(arguments)
    options = _parser().parse_args(ours)
    try:
        import atheris
    except ImportError:
        sys.exit("fuzzing needs atheris, which is there for Linux on x86-64: tfaas[fuzz]")
    module_name, _, name = options.check.partition(":")
    sys.path.insert(0, "")
    with atheris.instrument_imports(include=options.instrument):
        module = importlib.import_module(module_name)
    check = getattr(module, name or "check")
    if options.seeds is not None:
        _write_seeds(check, options.seeds)
    _limit()
    # Whoever ends it because it hangs wants to know where.
    faulthandler.register(signal.SIGUSR1)
    # What is logged is a refusal's reason, again and again.
    logging.disable(logging.ERROR)
    warnings.simplefilter("error")
    mutate = getattr(module, "mutate", None)
    more = {} if mutate is None else {"custom_mutator": mutate}
    atheris.Setup([sys.argv[0], *theirs], _bounded(check, options.held_s), **more)
    atheris.Fuzz()


def _split(arguments: Sequence[str]) -> tuple[list[str], list[str]]:
    """What is before, and behind, the first ``--``."""
    found = [*arguments]
    at = found.index("--") if "--" in found else len(found)
    return found[:at], found[at + 1 :]


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m tfaas_core.testing.fuzz",
        description="Calls CHECK of MODULE with inputs. Behind --: flags of libFuzzer, folders of"
        " inputs, of which the first gets what is found, or files, which are tried alone.",
    )
    parser.add_argument("check", metavar="MODULE:CHECK")
    parser.add_argument("--instrument", action="append", metavar="PACKAGE", default=[])
    parser.add_argument("--held-s", type=float, default=0.05, help="for how long an input may run")
    parser.add_argument("--seeds", type=Path, help="a folder that gets what the check begins with")
    return parser


def _bounded(check: Any, held_s: float) -> Any:
    from tfaas_core.testing.fuzzing import bounded

    return bounded(check, held_s * _SLOWED)


def _write_seeds(check: Any, folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for place, seed in enumerate(check.seeds()):
        (folder / f"sample-{place}").write_bytes(seed)


def _limit() -> None:
    """What an input must not take: memory, files that are never closed, a core dump."""
    pages = int(Path("/proc/self/statm").read_text().split()[0])
    taken = pages * resource.getpagesize()
    for kind, most in (
        (resource.RLIMIT_AS, taken + _MORE_BYTES),
        (resource.RLIMIT_NOFILE, _MOST_FILES),
        (resource.RLIMIT_CORE, 0),
    ):
        _, hard = resource.getrlimit(kind)
        resource.setrlimit(kind, (most, hard))


if __name__ == "__main__":
    main(sys.argv[1:])
