"""All benchmarks, one after the other: ``make bench``, or ``python benchmarks/run.py --quick``."""

from __future__ import annotations

import argparse
import signal
import sys
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

# Run as a file, Python looks for modules beside it only.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import (
    contenders,
    large_upload,
    load,
    machine,
    memory,
    micro,
    network,
    saved_model,
    servers,
    startup,
    tarball,
)
from benchmarks.report import Report

_BATCH_CONNECTIONS = 4
_LARGE_BYTES = 1 << 30
_QUICK_LARGE_BYTES = 64 << 20


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
    saved = saved_model.write(folder / "saved")
    bundle = tarball.pack(saved)
    with servers.tfaas(folder / "models") as tfaas:
        errors = _load(report, options, tfaas, bundle)
        upload_s = startup.upload_s(tfaas, 3 if options.quick else 10)
        graph_bytes = memory.private_bytes_of_a_model(tfaas, network.upload, copies=5)
        upload = partial(network.upload_bundle, bundle=bundle)
        saved_bytes = memory.private_bytes_of_a_model(tfaas, upload, copies=5)
    errors += _large_upload(report, options, saved, folder)
    repeats = 1 if options.quick else 5
    started = startup.startup(folder / "cold", repeats)
    cold = started.first_prediction_s / started.import_s
    figures = [
        ["`tfaas serve` to live", f"{started.live_s:.2f} s"],
        ["`tfaas serve` to the first prediction", f"{started.first_prediction_s:.2f} s"],
        ["`python -c 'import tensorflow'`", f"{started.import_s:.2f} s"],
        ["first prediction / import", f"{cold:.2f}"],
        ["upload to ready", f"{upload_s * 1000:.0f} ms"],
        ["private memory of each further frozen graph", f"{graph_bytes / 1e6:.1f} MB"],
        ["private memory of each further SavedModel", f"{saved_bytes / 1e6:.1f} MB"],
        ["`tfaas --help`", f"{startup.help_s(repeats) * 1000:.0f} ms"],
    ]
    report.add("Waiting and memory", ["what", "median"], figures)
    report.add(
        "Micro benchmarks", ["group", "what", "median µs"], micro.rows(folder, options.quick)
    )
    return errors


def _load(report: Report, options: argparse.Namespace, tfaas: servers.Server, bundle: Path) -> int:
    contenders.store_models(tfaas, bundle)
    with servers.noop() as noop:
        one_row = contenders.one_row(noop, tfaas)
        rounds = [
            load.compare(one_row, connections, options.seconds, options.rounds)
            for connections in options.connections
        ]
        report.add("One row", load.HEADER, [row for one in rounds for row in one.rows()])
        batches = contenders.batches(noop, tfaas)
        batch = load.compare(batches, _BATCH_CONNECTIONS, options.seconds, options.rounds)
        report.add("Batches", load.HEADER, batch.rows())
    return sum(comparison.errors for comparison in [*rounds, batch])


def _large_upload(report: Report, options: argparse.Namespace, saved: Path, folder: Path) -> int:
    size = _QUICK_LARGE_BYTES if options.quick else _LARGE_BYTES
    large = tarball.pack_large(saved, folder / "large", size)
    uploads = large_upload.measure(folder / "large-models", large, options.seconds)
    large.unlink()
    times = [one.time_row() for one in uploads]
    report.add("A large upload", ["sent as", "MB", "s", "`tar xzf` s", "ratio"], times)
    growth = [row for one in uploads for row in one.growth_rows()]
    header = ["sent as", "process", "peak growth of private memory, MB"]
    report.add("Memory during a large upload", header, growth)
    predictions = [row for one in uploads for row in one.prediction_rows()]
    header = ["sent as", "during", "predictions/s", "share", "p99 ms", "errors"]
    report.add("Predictions during a large upload", header, predictions)
    return sum(one.errors for one in uploads)


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
