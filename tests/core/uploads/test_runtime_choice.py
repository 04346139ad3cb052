"""Which runtime takes a model, and which file of a bundle is one, of made-up kinds."""

from __future__ import annotations

import errno
import logging
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any, cast

import pytest

from tfaas_core.errors import CannotServe, DoesNotFit, TfaasError, Unavailable
from tfaas_core.models.params import Params
from tfaas_core.runtime import LoadOptions, Runtime, Servable, Verdict
from tfaas_core.uploads.contents import Contents, contents_of
from tfaas_core.uploads.runtime_choice import RuntimeChoice

SAY = 'say in params which one is to load it, as "runtime": "NAME", NAME being'
NO, MAYBE, SURE = Verdict.NO, Verdict.MAYBE, Verdict.SURE


class Kind(Runtime):
    """Files of a suffix. Sure of those that say so, and that others may be such, too."""

    def __init__(self, suffix: str, otherwise: Verdict = NO) -> None:
        self.suffixes = (suffix,)  # type: ignore[misc]
        self._otherwise = otherwise

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        if artifact.is_dir():
            return NO
        return SURE if self.suffixes[0] in artifact.read_text() else self._otherwise

    def load(self, artifact: Path, params: Params, options: LoadOptions) -> Servable:
        raise NotImplementedError


class Answering(Kind):
    """Answers whatever it is told to, or raises it."""

    def __init__(self, answer: object) -> None:
        super().__init__(".any")
        self._answer = answer

    def claim(self, artifact: Path, file_name: str) -> Verdict:
        return cast(Verdict, self._answered())

    def find(self, folder: Path) -> Iterable[Path]:
        return cast(Iterable[Path], self._answered())

    def file_name(self, uploaded: str) -> str:
        return cast(str, self._answered())

    def _answered(self) -> object:
        if isinstance(self._answer, Exception):
            raise self._answer
        return self._answer


class Folders(Kind):
    """Folders with a file ``deep.a``."""

    nouns = ("folder with a deep.a", "folders with a deep.a")

    def find(self, folder: Path) -> Iterable[Path]:
        return (file.parent for file in folder.rglob("deep.a"))


A, B, C = Kind(".a", otherwise=MAYBE), Kind(".b"), Kind(".c", otherwise=MAYBE)
CHOICE = RuntimeChoice({"a": A, "b": B, "c": C})


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "model"


@pytest.mark.parametrize(
    ("runtimes", "content", "chosen"),
    [
        ("ab", "nothing", "a"),
        ("ab", ".a", "a"),
        ("ab", ".b", "b"),
        ("abc", ".b", "b"),
        ("abc", ".c", "c"),
        ("ba", "nothing", "a"),
    ],
)
def test_who_is_sure_takes_it_or_else_who_may(
    file: Path, runtimes: str, content: str, chosen: str
) -> None:
    file.write_text(content)
    choice = RuntimeChoice({name: {"a": A, "b": B, "c": C}[name] for name in runtimes})
    assert choice.runtime_for(file, "") == chosen


@pytest.mark.parametrize(("content", "names"), [(".a .b", "a or b"), ("nothing", "a or c")])
def test_what_several_take_is_refused_until_params_say_who_does(
    file: Path, content: str, names: str
) -> None:
    file.write_text(content)
    with pytest.raises(CannotServe) as refused:
        CHOICE.runtime_for(file, "model.a")
    assert refused.value.message == (f"several runtimes take this file: {SAY} {names}")
    assert refused.value.details == {"field": "runtime", "expected": names.split(" or ")}
    assert CHOICE.runtime_for(file, "model.a", "c") == "c"


def test_what_nobody_takes_is_refused(file: Path) -> None:
    file.write_text("nothing")
    with pytest.raises(CannotServe, match=r"no runtime recognises this file; installed .*: b$"):
        RuntimeChoice({"b": B}).runtime_for(file, "model.b")
    with pytest.raises(CannotServe, match=r"installed runtimes: none$"):
        RuntimeChoice({}).runtime_for(file, "model.b")


def test_the_runtime_that_params_name_is_asked_nothing_and_nobody_else_is(file: Path) -> None:
    broken = Answering(ValueError())
    choice = RuntimeChoice({"a": A, "broken": broken})
    assert choice.runtime_for(file, "", "broken") == "broken"
    assert choice.runtime_for(file, "", "a") == "a"


@pytest.mark.parametrize(
    "ask", [lambda path: CHOICE.runtime_for(path, "", "x"), lambda path: CHOICE.model_in(path, "x")]
)
def test_a_runtime_that_is_not_installed_is_refused(
    tmp_path: Path, ask: Callable[[Path], object]
) -> None:
    with pytest.raises(DoesNotFit) as refused:
        ask(tmp_path)
    assert refused.value.message == "params.runtime is 'x'; installed runtimes: a, b, c"
    assert refused.value.details["field"] == "runtime"


@pytest.mark.parametrize(
    ("step", "answer"),
    [
        *[("claim", answer) for answer in (ValueError("no"), True, None, "sure")],
        *[("find", answer) for answer in (ValueError("no"), None, [Path("/etc")], ["x"])],
        ("find", [Path("gone")]),
        *[("file_name", answer) for answer in (ValueError("no"), None, "", "a/b", "params.json")],
    ],
)
def test_a_runtime_that_answers_what_it_must_not_is_named(
    tmp_path: Path, step: str, answer: Any, caplog: pytest.LogCaptureFixture
) -> None:
    if answer == [Path("gone")]:
        answer = [tmp_path / "gone"]
    choice = RuntimeChoice({"odd": Answering(answer), "a": A})
    asks: dict[str, Callable[[], object]] = {
        "claim": lambda: choice.runtime_for(tmp_path, ""),
        "find": lambda: choice.model_in(tmp_path),
        "file_name": lambda: choice.file_name("odd", "model"),
    }
    with caplog.at_level(logging.ERROR), pytest.raises(TfaasError) as failed:
        asks[step]()
    assert failed.value.status == 500
    assert f"plugin {__name__} failed in {step} of the runtime 'odd'" in failed.value.message
    assert failed.value.details == {"plugin": __name__}
    assert f"{step} of the runtime 'odd'" in caplog.text


def test_a_runtime_that_may_open_no_more_files_is_not_to_blame(tmp_path: Path) -> None:
    answer: Any = OSError(errno.EMFILE, "Too many open files")
    choice = RuntimeChoice({"odd": Answering(answer), "a": A})
    with pytest.raises(Unavailable, match="too many files are open in this HTTP worker; try again"):
        choice.runtime_for(tmp_path, "")


def test_an_error_of_tfaas_stays_what_it_is(file: Path) -> None:
    with pytest.raises(DoesNotFit, match="as it says"):
        RuntimeChoice({"odd": Answering(DoesNotFit("as it says"))}).runtime_for(file, "")


# Bundles.


def contents(folder: Path, choice: RuntimeChoice, wanted: str | None, **files: str) -> Contents:
    """Of files of these names, _ being a dot, and contents, in a folder ``m``."""
    for name, content in files.items():
        path = folder / "m" / name.replace("__", "/").replace("_", ".")
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(content)
    return contents_of(folder, choice, wanted)


@pytest.mark.parametrize(
    ("files", "found"),
    [
        ({"x_b": ""}, "x.b"),
        ({"x_b": "", "readme_txt": "", "params_json": "{}"}, "x.b"),
        ({"x_b": ".b", "weights_a": ""}, "x.b"),
        ({"x_b": ".b", "weights_a": "", "others_a": ""}, "x.b"),
        ({"x_b": "", "weights_a": "", "params_json": '{"runtime": "b"}'}, "x.b"),
        ({"called": "", "params_json": '{"runtime": "b"}', "labels_txt": ""}, "called"),
        ({"deep__x_b": "", "x_a": ""}, "x.a"),
    ],
)
def test_a_runtime_finds_its_model(tmp_path: Path, files: dict[str, str], found: str) -> None:
    model = contents(tmp_path, CHOICE, None, **files)
    assert (model.name, model.model, model.file_name) == ("m", tmp_path / "m" / found, found)


@pytest.mark.parametrize(
    ("wanted", "files", "said"),
    [
        (None, {"x_a": "", "y_a": ""}, "2 a models (.a); it must hold one model"),
        (
            *(None, {"x_b": ""} | {"y_a": "", "z_a": ""}),
            f"2 a models (.a) and 1 b model (.b): {SAY} a or b",
        ),
        (
            *(None, {"x_b": ".b", "y_a": ".a", "z_a": ""}),
            f"1 a model (.a) and 1 b model (.b): {SAY} a or b",
        ),
        (
            *(None, {"x": ""}),
            "no a model (.a) and no b model (.b) and no c model (.c); it must hold one model",
        ),
        ("b", {"x_a": "", "y_a": ""}, "no b model (.b); it must hold one model"),
        (
            *("b", {"deep__x_b": ""}),
            "no b model (.b) at its top or in its only folder; it must hold one model",
        ),
        ("b", {"x": "", "y": ""}, "no b model (.b); it must hold one model"),
    ],
)
def test_a_bundle_with_no_model_or_several_is_refused(
    tmp_path: Path, wanted: str | None, files: dict[str, str], said: str
) -> None:
    with pytest.raises(CannotServe) as refused:
        contents(tmp_path, CHOICE, wanted, **files)
    assert refused.value.message == f"the bundle holds {said}"


def test_params_beside_the_bundle_win(tmp_path: Path) -> None:
    files = {"x_b": ".b", "y_a": ".a", "params_json": '{"runtime": "a"}'}
    assert contents(tmp_path, CHOICE, "b", **files).file_name == "x.b"
    assert contents(tmp_path, CHOICE, None).file_name == "y.a"
    with pytest.raises(CannotServe, match="1 a model"):
        contents(tmp_path, CHOICE, "")


def test_a_file_in_the_folder_that_is_a_model_is_none(tmp_path: Path) -> None:
    choice = RuntimeChoice({"a": A, "folders": Folders("")})
    found = contents(tmp_path, choice, None, deep_a="", other_a="", params_json="{}")
    assert (found.model, found.file_name) == (tmp_path / "m", "m")
    with pytest.raises(CannotServe, match=r"holds 2 folders with a deep\.a; it must"):
        contents(tmp_path, choice, None, x__deep_a="")


@pytest.mark.parametrize(
    ("runtime", "uploaded", "called"),
    [
        ("a", "vk.a", "vk.a"),
        ("a", "vk.b", "model.a"),
        ("a", "", "model.a"),
        ("a", "x/vk.a", "model.a"),
        ("any", "vk", "vk"),
        ("any", "", "model"),
        ("any", "params.json", "model"),
        ("json", "params.json", "model.json"),
        ("gone", "vk.onnx", "vk.onnx"),
        ("gone", "../x", "model"),
    ],
)
def test_a_download_calls_the_model_what_its_runtime_does(
    runtime: str, uploaded: str, called: str
) -> None:
    anything = Kind("")
    anything.suffixes = ()  # type: ignore[misc]
    choice = RuntimeChoice({"a": A, "any": anything, "json": Kind(".json")})
    assert choice.file_name(runtime, uploaded) == called
