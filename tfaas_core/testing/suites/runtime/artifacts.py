"""The part of Runtime's contract about artifacts: whose they are, and where they are found."""

from __future__ import annotations

import io
import random
import tarfile
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tfaas_core.runtime import Runtime, Verdict
from tfaas_core.testing.children import apart
from tfaas_core.testing.suites.runtime.case import RuntimeCase, copied
from tfaas_core.testing.suites.runtime.processes import heavy_after_claim, threads_of_preloads

_UPLOADED = ("", "model", "x.onnx", "x.pb", "a b.tar.gz", "caf\u00e9")


class ArtifactsContract(RuntimeCase):
    """What a runtime says of files and folders before it loads any."""

    def test_what_it_says_of_its_files_is_of_its_type(self, runtime: Runtime) -> None:
        for names in (runtime.preload, runtime.suffixes, runtime.nouns):
            assert isinstance(names, tuple)
            assert all(type(name) is str for name in names)
        assert all(suffix.startswith(".") for suffix in runtime.suffixes)
        assert len(runtime.nouns) == 2
        assert (runtime.nouns[0] == "") == (runtime.nouns[1] == "")

    def test_its_own_models_are_claimed_whatever_they_are_called_here(
        self, runtime: Runtime, models: list[Path], tmp_path: Path
    ) -> None:
        """The uploader's name may tell something; the artifact's own name here does not."""
        for number, (sample, model) in enumerate(zip(self.samples, models, strict=True)):
            verdict = runtime.claim(model, sample.file_name)
            assert verdict in (Verdict.MAYBE, Verdict.SURE)
            for name in ("model", "x.zip", "y.txt"):
                other = copied(model, tmp_path / f"called-{number}" / name)
                assert runtime.claim(other, sample.file_name) is verdict

    def test_whatever_a_file_or_folder_is_the_answer_is_a_verdict(
        self, runtime: Runtime, models: list[Path], tmp_path: Path
    ) -> None:
        for path in (*_strangers(tmp_path / "strangers"), *models):
            for name in _UPLOADED:
                assert isinstance(runtime.claim(path, name), Verdict)

    def test_it_is_not_sure_of_what_anything_may_be(self, runtime: Runtime, tmp_path: Path) -> None:
        for path in _strangers(tmp_path / "strangers"):
            assert runtime.claim(path, "") is not Verdict.SURE, path.name

    def test_a_model_is_found_in_a_bundle_by_the_name_that_it_has_there(
        self, runtime: Runtime, models: list[Path], tmp_path: Path
    ) -> None:
        """Beside the params and the labels, as a client downloads it."""
        for number, (sample, model) in enumerate(zip(self.samples, models, strict=True)):
            for uploaded in {sample.file_name, ""}:
                bundle = tmp_path / f"bundle-{number}-{uploaded or 'nameless'}"
                name = "model" if model.is_dir() else runtime.file_name(uploaded)
                found = copied(model, bundle / name)
                (bundle / "params.json").write_text("{}")
                (bundle / "labels.txt").write_text("a\nb\n")
                assert found in set(runtime.find(bundle)), f"{name} is not found"
                if model.is_dir():
                    assert found in set(runtime.find(found)), "a folder that is one is not found"

    def test_what_is_found_is_in_the_folder(self, runtime: Runtime, tmp_path: Path) -> None:
        for path in _strangers(tmp_path / "strangers"):
            if path.is_dir():
                for found in runtime.find(path):
                    assert found.is_relative_to(path)
        empty = tmp_path / "empty"
        empty.mkdir()
        assert list(runtime.find(empty)) == []

    @pytest.mark.parametrize("uploaded", _UPLOADED)
    def test_a_name_for_a_download_is_a_file_name(self, runtime: Runtime, uploaded: str) -> None:
        name = runtime.file_name(uploaded)
        assert type(name) is str
        assert name not in ("", ".", "..")
        assert "/" not in name
        assert name.isprintable()

    def test_claiming_imports_no_heavy_library(self, models: list[Path]) -> None:
        """Those of ``preload`` belong in model processes: HTTP workers claim, too."""
        for sample, model in zip(self.samples, models, strict=True):
            make: Callable[[], Runtime] = type(self).make_runtime
            assert apart(heavy_after_claim, make, model, sample.file_name) == []

    def test_what_is_preloaded_starts_no_thread(self) -> None:
        """A process with threads cannot be forked safely."""
        make: Callable[[], Runtime] = type(self).make_runtime
        assert apart(threads_of_preloads, make) == 0


def _strangers(folder: Path) -> Iterator[Path]:
    """Files and folders that any program may have written, and one that is not there."""
    folder.mkdir()
    files = {
        "empty": b"",
        "text": b"Lorem ipsum dolor sit amet\n" * 9,
        "noise": random.Random(1).randbytes(3000),
        "zeros": bytes(3000),
        "archive": _archive(),
    }
    for name, content in files.items():
        (folder / name).write_bytes(content)
        yield folder / name
    (folder / "nothing").mkdir()
    yield folder / "nothing"
    (folder / "mixture" / "below").mkdir(parents=True)
    (folder / "mixture" / "below" / "notes.txt").write_text("notes")
    yield folder / "mixture"
    yield folder / "gone"


def _archive() -> bytes:
    with io.BytesIO() as file:
        with tarfile.open(fileobj=file, mode="w:gz") as archive:
            archive.addfile(tarfile.TarInfo("notes.txt"))
        return file.getvalue()
