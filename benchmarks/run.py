"""All benchmarks, one after the other: ``make bench``, or ``python benchmarks/run.py --quick``."""

from __future__ import annotations

import signal
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory

# Run as a file, Python looks for modules beside it only.
sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from benchmarks import (
    ceilings,
    contenders,
    event,
    grpc_calls,
    instances,
    large_upload,
    machine,
    memory,
    micro,
    modes,
    neighbour,
    network,
    networks,
    options,
    pictures,
    plot,
    saved_model,
    servers,
    several_rows,
    soak,
    startup,
    steps,
    tarball,
    throughput,
    tiny_models,
    workers,
)
from benchmarks.options import Options
from benchmarks.report import Report

_LARGE_BYTES = 1 << 30
_QUICK_LARGE_BYTES = 64 << 20
_EVENT = "deepmet"
_MB = 1e6


def main() -> int:
    """Exits with 0, however slow it was; with 1 where anything was answered by an error."""
    given = options.parse(__doc__)
    # So that the servers are ended on the way out, as they are on Ctrl-C.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    report = Report()
    report.add("Machine", ["what", "value"], machine.rows())
    try:
        with TemporaryDirectory(prefix="tfaas-bench-") as folder:
            errors = _measure(report, given, Path(folder))
    except servers.BenchmarkFailedError as error:
        print(f"bench: {error}", file=sys.stderr)
        return 1
    except KeyboardInterrupt:
        return 130
    print(f"{errors} errors", flush=True)
    return 1 if errors else 0


def _measure(report: Report, given: Options, folder: Path) -> int:
    saved = saved_model.write(folder / "saved")
    bundle = tarball.pack(saved)
    tiny = tiny_models.write(folder / "tiny")
    memory_and_upload: list[list[str]] = []
    with servers.tfaas(folder / "models", several_rows.SETTINGS) as tfaas:
        contenders.store_models(tfaas, bundle, tiny)
        with servers.noop() as noop:
            requests = throughput.measure(report, given, noop, tfaas)
            errors = ceilings.measure(report, given, noop, tfaas, folder / "nginx")
            errors += several_rows.measure(report, given, noop, tfaas)
        title = "Where the time of one request goes"
        report.add(title, steps.HEADER, steps.rows(tfaas, given.seconds, folder / "steps"))
        memory_and_upload += _one_more_model(report, given, tfaas, bundle)
    errors += requests.errors
    errors += grpc_calls.measure(report, given, folder)
    errors += _workers(report, given, folder)
    errors += _neighbour(report, given, folder, tiny)
    brief = tiny[tiny_models.BRIEF]
    errors += instances.measure(report, folder / "instances", brief, given.rounds, given.seconds)
    _beside_tensorflow(report, given, folder)
    errors += _large_upload(report, given, saved, folder)
    _waiting(report, given, folder, memory_and_upload)
    _networks(report, folder)
    soaked = _soak(report, given, folder, bundle)
    header = ["group", "what", "median µs"]
    report.add("Micro benchmarks", header, micro.rows(folder, given.quick))
    report.add_goals()
    # With --quick this is gone with the folder, but it has been seen to work.
    path = report.write(given.results or folder / "results")
    plot.draw(path, requests, soaked, machine.caption())
    return errors + soaked.errors


def _one_more_model(
    report: Report, given: Options, tfaas: servers.Server, bundle: Path
) -> list[list[str]]:
    upload_s = startup.upload_s(tfaas, 3 if given.quick else 10)
    graph_bytes = memory.private_bytes_of_a_model(tfaas, network.upload, copies=5)
    upload = partial(network.upload_bundle, bundle=bundle)
    saved_bytes = memory.private_bytes_of_a_model(tfaas, upload, copies=5)
    report.goal("upload to ready", upload_s * 1000, 250, " ms", at_most=True)
    memory_of = "private memory of a further"
    report.goal(f"{memory_of} frozen graph", graph_bytes / _MB, 20, " MB", at_most=True)
    report.goal(f"{memory_of} SavedModel", saved_bytes / _MB, 35, " MB", at_most=True)
    return [
        ["upload to ready", f"{upload_s * 1000:.0f} ms"],
        ["private memory of each further frozen graph", f"{graph_bytes / 1e6:.1f} MB"],
        ["private memory of each further SavedModel", f"{saved_bytes / 1e6:.1f} MB"],
    ]


def _workers(report: Report, given: Options, folder: Path) -> int:
    comparison = workers.measure(folder / "workers", given)
    report.add("HTTP workers", workers.HEADER, workers.rows(comparison))
    return comparison.errors


def _neighbour(report: Report, given: Options, folder: Path, tiny: Mapping[str, Path]) -> int:
    found = neighbour.measure(folder / "neighbour", given, tiny)
    title = "Latency of a small model beside a slow one"
    report.add(title, neighbour.HEADER, found.rows())
    report.add("The slow models meanwhile", neighbour.SLOW_HEADER, found.slow_rows())
    found.add_goals(report)
    return found.errors


def _beside_tensorflow(report: Report, given: Options, folder: Path) -> None:
    """Pictures, large models and, where it is at hand, a large row, beside TensorFlow in a loop."""
    pictures.compare(report, given, folder / "pictures")
    names = modes.NETWORKS[:1] if given.quick else modes.NETWORKS
    modes.measure_modes(report, folder / "modes", given.rounds, names)
    if (file := {each.stem: each for each in networks.files()}.get(_EVENT)) is None:
        print(f"{_EVENT} is not at hand: not measured.\n", flush=True)
        return
    event.measure_row(report, file, folder / "event", given.rounds, given.seconds)


def _large_upload(report: Report, given: Options, saved: Path, folder: Path) -> int:
    size = _QUICK_LARGE_BYTES if given.quick else _LARGE_BYTES
    large = tarball.pack_large(saved, folder / "large", size)
    uploads = large_upload.measure(folder / "large-models", large, given.seconds)
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


def _waiting(report: Report, given: Options, folder: Path, more: list[list[str]]) -> None:
    repeats = 1 if given.quick else 5
    started = startup.startup(folder / "cold", repeats)
    cold = started.first_prediction_s / started.import_s
    help_s = startup.help_s(repeats)
    report.goal("`tfaas serve` to live", started.live_s * 1000, 1500, " ms", at_most=True)
    report.goal("`tfaas serve` to the first prediction, of the import", cold, 1.0, at_most=True)
    report.goal("`tfaas --help`", help_s * 1000, 500, " ms", at_most=True)
    figures = [
        ["`tfaas serve` to live", f"{started.live_s:.2f} s"],
        ["`tfaas serve` to the first prediction", f"{started.first_prediction_s:.2f} s"],
        ["`python -c 'import tensorflow'`", f"{started.import_s:.2f} s"],
        ["first prediction / import", f"{cold:.2f}"],
        ["`tfaas --help`", f"{help_s * 1000:.0f} ms"],
        *more,
    ]
    report.add("Waiting and memory", ["what", "median"], figures)


def _networks(report: Report, folder: Path) -> None:
    files = networks.files()
    if not files:
        print("The real networks are not at hand: not measured.\n", flush=True)
        return
    names = ", ".join(file.stem for file in files)
    title = f"Memory with {len(files)} real networks loaded"
    found = networks.measure(folder / "networks")
    report.add(title, networks.HEADER, found, f"They are {names}.")
    whole_mb = float(found[-1][-1])
    report.goal(f"{len(files)} real networks loaded, all processes", whole_mb, 1000, " MB", True)


def _soak(report: Report, given: Options, folder: Path, bundle: Path) -> soak.Soak:
    found = soak.measure(folder / "soak", given.soak_s, bundle)
    report.add("Soak: memory", soak.HEADER, found.rows())
    report.add("Soak: load", ["what", "value"], found.load_rows())
    return found


if __name__ == "__main__":
    sys.exit(main())
