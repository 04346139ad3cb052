"""What the built-in runtimes find in a bundle, and what its refusal says."""

from __future__ import annotations

from pathlib import Path

import pytest
from tfaas_backends.runtimes.graph.runtime import GraphRuntime
from tfaas_backends.runtimes.saved_model.runtime import SavedModelRuntime

from tfaas_core.errors import CannotServe
from tfaas_core.uploads.contents import Contents, contents_of
from tfaas_core.uploads.runtime_choice import RuntimeChoice

BUILT_IN = RuntimeChoice({"graph": GraphRuntime(), "saved_model": SavedModelRuntime()})


def contents(folder: Path, *files: str) -> Contents:
    for file in files:
        (folder / file).parent.mkdir(parents=True, exist_ok=True)
        (folder / file).write_text("{}")
    return contents_of(folder, BUILT_IN)


@pytest.mark.parametrize("file", ["saved_model.pb", "saved_model.pbtxt"])
def test_a_saved_model_is_found_and_named_by_its_folder(tmp_path: Path, file: str) -> None:
    found = contents(tmp_path, f"vk/{file}", "vk/variables/variables.index", "vk/params.json")
    assert (found.name, found.model, found.file_name) == ("vk", tmp_path / "vk", "vk")
    assert (found.params, found.labels) == (tmp_path / "vk" / "params.json", None)


def test_a_saved_model_at_the_root_has_no_name(tmp_path: Path) -> None:
    found = contents(tmp_path, "saved_model.pb", "variables/variables.index", "labels.csv")
    assert (found.name, found.model, found.file_name) == ("", tmp_path, "")
    assert found.labels == tmp_path / "labels.csv"


def test_a_saved_model_in_a_version_folder_is_found(tmp_path: Path) -> None:
    found = contents(tmp_path, "vk/1/saved_model.pb", "vk/params.json")
    assert (found.name, found.model) == ("vk", tmp_path / "vk" / "1")
    assert found.params == tmp_path / "vk" / "params.json"


@pytest.mark.parametrize("beside", ["vk/graph.pb", "vk/1/fingerprint.pb", "vk/1/assets/a.pb"])
def test_a_graph_beside_a_saved_model_or_in_it_is_none(tmp_path: Path, beside: str) -> None:
    assert contents(tmp_path, "vk/1/saved_model.pb", beside).model == tmp_path / "vk" / "1"


@pytest.mark.parametrize("top", ["", "vk/"])
def test_a_graph_with_its_params_is_found(tmp_path: Path, top: str) -> None:
    found = contents(tmp_path, f"{top}graph.pb", f"{top}params.json", f"{top}deep/other.pb")
    assert (found.model, found.file_name) == (tmp_path / top / "graph.pb", "graph.pb")
    assert found.params == tmp_path / top / "params.json"


@pytest.mark.parametrize("place", ["vk", "vk/1"])
def test_examples_are_found_beside_the_model_or_above_it(tmp_path: Path, place: str) -> None:
    found = contents(tmp_path, "vk/1/saved_model.pb", f"{place}/warmup.json")
    assert found.warmup == tmp_path / place / "warmup.json"


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ([], "no saved_model.pb and no graph (.pb)"),
        (["vk/readme.txt"], "no saved_model.pb and no graph (.pb)"),
        (
            ["a/a.pb", "b/b.pb"],
            "no saved_model.pb and no graph (.pb) at its top or in its only folder",
        ),
        (["a/saved_model.pb", "b/saved_model.pb"], "2 SavedModels"),
        (["m/saved_model.pb", "m/deep/saved_model.pbtxt"], "2 SavedModels"),
        (["m/a.pb", "m/b.pb"], "2 graphs (.pb)"),
    ],
)
def test_a_bundle_without_exactly_one_model_is_refused(
    tmp_path: Path, files: list[str], said: str
) -> None:
    with pytest.raises(CannotServe) as refused:
        contents(tmp_path, *files)
    assert refused.value.message == f"the bundle holds {said}; it must hold one model"
