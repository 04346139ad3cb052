"""Runtimes that are wrong, each with the test of the suite that must fail."""

from __future__ import annotations

import json
import os
from collections.abc import Iterable
from pathlib import Path
from typing import Any, ClassVar

from tests.core.testing.lines_runtime import MARK, RightRuntime, RuntimeSamples, Sums
from tests.core.testing.outcomes import add_tests
from tfaas_core.errors import BadBody, TfaasError
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Servable, Verdict


class TestRight(RuntimeSamples):
    """The right one."""


class SuffixWithoutADot(RightRuntime):
    suffixes = ("lines",)


class SuffixIsAText(RightRuntime):
    suffixes: ClassVar[Any] = ".lines"


class ClaimsByTheNameHere(RightRuntime):
    def claim(self, artifact: Path, file_name: str) -> Verdict:
        return Verdict.SURE if artifact.suffix == ".lines" else Verdict.NO


class ClaimsEverything(RightRuntime):
    def claim(self, artifact: Path, file_name: str) -> Verdict:
        return Verdict.SURE


class ClaimsByABool(RightRuntime):
    def claim(self, artifact: Path, file_name: str) -> Any:
        return super().claim(artifact, file_name) is Verdict.SURE


class ReadsFoldersToo(RightRuntime):
    def claim(self, artifact: Path, file_name: str) -> Verdict:
        return Verdict.SURE if artifact.read_bytes().startswith(MARK) else Verdict.NO


class FindsNothing(RightRuntime):
    def find(self, folder: Path) -> Iterable[Path]:
        return []


class FindsWhatIsNotThere(RightRuntime):
    def find(self, folder: Path) -> Iterable[Path]:
        return [*super().find(folder), folder / "model.lines"]


class NamesAFolder(RightRuntime):
    def file_name(self, uploaded: str) -> str:
        return "models/model.lines"


class ImportsWhatIsHeavy(RightRuntime):
    preload = ("wsgiref.simple_server",)

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        import wsgiref.simple_server  # noqa: F401

        return super().claim(artifact, file_name)


class PreloadsAThread(RightRuntime):
    preload = ("tests.core.testing.wrong.with_thread",)


class CountsInFloats(RightRuntime):
    def count_ops(self, artifact: Path, params: Params) -> dict[str, Any]:
        return {"Sum": 1.0}


class RaisesWhatPythonRaises(RightRuntime):
    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        return Sums(json.loads(artifact.read_bytes())["stateful"])


class CallsADamagedFileABug(RightRuntime):
    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        try:
            return super().load(artifact, params, options)
        except BadBody as error:
            raise TfaasError(error.message) from None


class DiesOfADamagedFile(RightRuntime):
    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        try:
            return super().load(artifact, params, options)
        except BadBody:
            os._exit(3)


class KeepsACacheBeside(RightRuntime):
    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        (artifact.parent / "cache").write_bytes(b"compiled")
        return super().load(artifact, params, options)


class MarksWhatItHasCounted(RightRuntime):
    def count_ops(self, artifact: Path, params: Params) -> dict[str, int]:
        with artifact.open("ab") as file:
            file.write(b" ")
        return super().count_ops(artifact, params)


WRONG: dict[type, str] = {
    SuffixWithoutADot: "test_what_it_says_of_its_files_is_of_its_type",
    SuffixIsAText: "test_what_it_says_of_its_files_is_of_its_type",
    ClaimsByTheNameHere: "test_its_own_models_are_claimed_whatever_they_are_called_here",
    ClaimsEverything: "test_it_is_not_sure_of_what_anything_may_be",
    ClaimsByABool: "test_whatever_a_file_or_folder_is_the_answer_is_a_verdict",
    ReadsFoldersToo: "test_whatever_a_file_or_folder_is_the_answer_is_a_verdict",
    FindsNothing: "test_a_model_is_found_in_a_bundle_by_the_name_that_it_has_there",
    FindsWhatIsNotThere: "test_what_is_found_is_in_the_folder",
    NamesAFolder: "test_a_name_for_a_download_is_a_file_name",
    ImportsWhatIsHeavy: "test_claiming_imports_no_heavy_library",
    PreloadsAThread: "test_what_is_preloaded_starts_no_thread",
    KeepsACacheBeside: "test_a_model_is_left_as_it_is",
    MarksWhatItHasCounted: "test_a_model_is_left_as_it_is",
    CountsInFloats: "test_ops_are_counted_by_their_types",
    RaisesWhatPythonRaises: "test_a_damaged_model_is_refused_in_words",
    CallsADamagedFileABug: "test_a_damaged_model_is_refused_in_words",
    DiesOfADamagedFile: "test_a_damaged_model_is_refused_in_words",
}

add_tests(globals(), RuntimeSamples, "make_runtime", WRONG)
