"""``python -m tests.cluster``: faults for hosts and servers; ``make cluster-test`` runs it."""

from __future__ import annotations

import argparse
import os
import shutil
import signal
import sys
import tempfile
import time
from collections.abc import Mapping
from pathlib import Path

import msgspec
import pytest

from tests.cluster.clients import Asked
from tests.cluster.cluster import DEAD_AFTER_S, Cluster, cluster
from tests.cluster.faults import ALONE, FAULTS, ON_RAY, SHORT, Fault
from tests.cluster.machines import begin_network, why_no_machines
from tests.cluster.ray_fleet import why_no_ray

LIMIT_S = DEAD_AFTER_S + 1
"""For the slowest request, on a machine that has its cores for this."""

_APART = "CLUSTER_IS_APART"


class Struck(msgspec.Struct):
    """What was asked while a fault lasted, and what is to be told of it."""

    fault: str
    asked: Asked
    note: str = ""

    def text(self) -> str:
        """A line, and one for each kind of failure."""
        asked, note = self.asked, f" ({self.note})" if self.note else ""
        line = (
            f"{time.strftime('%H:%M:%S')} {self.fault}{note}: {asked.answered} answered, "
            f"{sum(asked.failed.values())} failed, the slowest took {asked.slowest_s:.2f} s"
        )
        return "\n    ".join(
            [line, *(f"{n} times {what[:300]}" for what, n in asked.failed.items())]
        )


class Report(msgspec.Struct):
    """All faults, in order."""

    engine: str = "remote"
    struck: list[Struck] = []
    load_average: float = 0.0

    @property
    def failed(self) -> int:
        """Requests of all."""
        return sum(sum(each.asked.failed.values()) for each in self.struck)

    @property
    def slowest_s(self) -> float:
        """Of all."""
        return max((each.asked.slowest_s for each in self.struck), default=0.0)


def main() -> int:
    """Returns the exit status: 1 if a request failed, or took too long."""
    options = _options()
    if why := why_no_machines() or (options.engine == "ray" and why_no_ray()):
        print(f"left out: {why}")
        return 0
    if _APART not in os.environ:
        command = ["unshare", "--net", sys.executable, "-m", "tests.cluster", *sys.argv[1:]]
        # In the place of this process: whoever kills that ends all.
        os.execvpe(command[0], command, {**os.environ, _APART: "1"})
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    begin_network()
    folder = Path(tempfile.mkdtemp(prefix="tfaas-cluster-"))
    report = Report(options.engine)
    try:
        _strike_all(report, folder, options)
    except pytest.skip.Exception as error:
        print(f"left out: {error}")
        shutil.rmtree(folder)
        return 0
    except BaseException:
        print(f"kept, with all logs: {folder}")
        raise
    finally:
        report.load_average = round(os.getloadavg()[0], 2)
        options.report.write_bytes(msgspec.json.format(msgspec.json.encode(report)))
    print(f"written: {options.report}")
    is_well = not report.failed and (options.short or report.slowest_s <= LIMIT_S)
    if is_well and not options.keep:
        shutil.rmtree(folder)
    else:
        print(f"kept, with all logs: {folder}")
    return 0 if is_well else 1


def _strike_all(report: Report, folder: Path, options: argparse.Namespace) -> None:
    on_ray = options.engine == "ray"
    every, alone = (ON_RAY, {}) if on_ray else (FAULTS, ALONE)
    for name, faults, hosts, servers, share in (
        ("hosts", SHORT if options.short else every, 3, 2, 0.7 if alone else 1.0),
        ("servers", {} if options.short else alone, 0, 3, 0.3),
    ):
        chosen = {what: fault for what, fault in faults.items() if options.only in what}
        if chosen:
            with cluster(folder / name, hosts, servers, on_ray) as found:
                end_s = time.monotonic() + options.minutes * 60 * share
                _strike(report, found, chosen)
                while time.monotonic() < end_s and not options.short:
                    _strike(report, found, chosen)


def _strike(report: Report, found: Cluster, faults: Mapping[str, Fault]) -> None:
    for name, fault in faults.items():
        note = fault(found)
        struck = Struck(name, found.clients.taken(), note)
        report.struck.append(struck)
        print(struck.text(), flush=True)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=3.0)
    parser.add_argument("--engine", choices=("remote", "ray"), default="remote")
    parser.add_argument("--short", action="store_true", help="some faults, once each")
    parser.add_argument("--keep", action="store_true", help="the folder with all logs")
    parser.add_argument("--only", default="", help="faults whose names have this in them")
    parser.add_argument("--report", type=Path, default=Path("cluster-report.json"))
    return parser.parse_args()


if __name__ == "__main__":
    sys.exit(main())
