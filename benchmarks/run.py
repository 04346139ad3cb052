"""All benchmarks, one after the other: ``make bench``, or ``python benchmarks/run.py --quick``."""

from __future__ import annotations

import argparse
import signal
import sys
from collections.abc import Sequence
from datetime import date
from pathlib import Path
from tempfile import TemporaryDirectory

# Run as a file, Python looks for modules beside it only.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import load, machine, memory, micro, network, servers, startup

_RESULTS = Path(__file__).with_name("results")


class Report:
    """Prints each table when it is done, and keeps it."""

    def __init__(self) -> None:
        self._text = ""

    def add(self, title: str, header: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
        """Adds a Markdown table."""
        widths = [max(map(len, column)) for column in zip(header, *rows, strict=True)]
        lines = [header, ["-" * width for width in widths], *rows]
        cells = [[c.ljust(w) for c, w in zip(line, widths, strict=True)] for line in lines]
        table = "\n".join(f"| {' | '.join(line)} |" for line in cells)
        section = f"## {title}\n\n{table}\n"
        print(section, flush=True)
        self._text += f"\n{section}"

    def write(self) -> None:
        """Keeps the whole report under today's date."""
        _RESULTS.mkdir(exist_ok=True)
        today = date.today().isoformat()
        path = _RESULTS / f"{today}.md"
        path.write_text(f"# Measured on {today}\n{self._text}", encoding="utf-8")


def main() -> int:
    """Exits with 0, however slow it was; with 1 where anything was answered by an error."""
    options = _options()
    # So that the servers are ended on the way out, as they are on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report()
    report.add("Machine", ["what", "value"], machine.rows())
    try:
        with TemporaryDirectory(prefix="tfaas-bench-") as folder:
            errors = _measure(report, options, Path(folder))
    except servers.BenchmarkFailedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    if options.write:
        report.write()
    return 1 if errors else 0


def _measure(report: Report, options: argparse.Namespace, folder: Path) -> int:
    with servers.tfaas(folder / "models") as tfaas:
        errors = _load(report, options, tfaas)
        upload_s = startup.upload_s(tfaas, 3 if options.quick else 10)
        model_bytes = memory.private_bytes_of_a_model(tfaas, copies=5)
    repeats = 1 if options.quick else 5
    started = startup.startup(folder / "cold", repeats)
    cold = started.first_prediction_s / started.import_s
    figures = [
        ["`tfaas serve` to live", f"{started.live_s:.2f} s"],
        ["`tfaas serve` to the first prediction", f"{started.first_prediction_s:.2f} s"],
        ["`python -c 'import tensorflow'`", f"{started.import_s:.2f} s"],
        ["first prediction / import", f"{cold:.2f}"],
        ["upload to ready", f"{upload_s * 1000:.0f} ms"],
        ["private memory of each further model", f"{model_bytes / 1e6:.1f} MB"],
        ["`tfaas --help`", f"{startup.help_s(repeats) * 1000:.0f} ms"],
    ]
    report.add("Waiting and memory", ["what", "median"], figures)
    report.add(
        "Micro benchmarks", ["group", "what", "median µs"], micro.rows(folder, options.quick)
    )
    return errors


def _load(report: Report, options: argparse.Namespace, tfaas: servers.Server) -> int:
    with network.client(tfaas.url) as to:
        network.upload(to, network.NAME)
        network.predict(to, network.NAME)
    with servers.noop() as noop:
        comparisons = [
            load.compare(tfaas, noop, connections, options.seconds, options.rounds)
            for connections in options.connections
        ]
    header = ["connections", "server", "requests/s", "p50 ms", "p99 ms", "errors", "ratio"]
    report.add("Load", header, load.rows(comparisons))
    return sum(comparison.errors for comparison in comparisons)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short rounds: see that it works")
    parser.add_argument("--connections", type=_count, nargs="+", default=[1, 32, 128])
    parser.add_argument("--seconds", type=_count, help="of one round; 5, or 1 with --quick")
    parser.add_argument("--rounds", type=_count, help="of each contender; 3, or 1 with --quick")
    parser.add_argument("--write", action="store_true", help="keep it in results/<date>.md")
    options = parser.parse_args()
    options.seconds = options.seconds or (1 if options.quick else 5)
    options.rounds = options.rounds or (1 if options.quick else 3)
    return options


def _count(text: str) -> int:
    count = int(text)
    if count < 1:
        raise argparse.ArgumentTypeError(f"{count} is not at least 1")
    return count


if __name__ == "__main__":
    sys.exit(main())
