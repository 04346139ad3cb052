"""The page of one model: what it is asked, its versions, and what is known of it."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
from playwright.sync_api import Page, expect

from tests.server.page.conftest import Visit
from tests.server.page.visitor import DIGIT, choose, drop, heading, predict, violations
from tfaas_core.testing.server import RunningServer

EXAMPLE = b'{"features": ["pt", "eta", "phi"], "example": {"values": [1.5, 2, 3]}}'

CI = os.environ.get("CI") == "true"
HAS_LIBCURL = (
    shutil.which("g++") is not None
    and subprocess.run(
        ["g++", "-E", "-x", "c++", "-", "-o", "/dev/null"],
        input=b"#include <curl/curl.h>",
        capture_output=True,
        check=False,
    ).returncode
    == 0
)

Scale = Callable[[float], bytes]


def opened(visit: Visit, server: RunningServer, name: str, **options: object) -> Page:
    page = visit(f"{server.url}/#/models/{name}", **options)
    expect(heading(page, "Predict")).to_be_visible()
    return page


def code(page: Page, language: str) -> str:
    page.get_by_role("tab", name=language).click()
    place = page.get_by_label(f"The request by {language}")
    expect(place).not_to_be_empty()
    return place.inner_text()


def test_a_picture_that_is_dropped_is_read(site: RunningServer, visit: Visit) -> None:
    page = opened(visit, site, "digits")
    drop(page.get_by_role("button", name="Drop a picture"), (DIGIT.name, DIGIT.read_bytes()))
    first = page.locator(".bars tbody tr").first
    expect(first).to_contain_text("5")
    expect(first).to_contain_text("0.9617")
    expect(page.locator(".answer-head")).to_contain_text("digits/1 answered in")
    assert f"-F 'image=@{DIGIT.name}'" in code(page, "curl")
    assert violations(page) == []


def test_a_picture_that_is_none_is_refused_in_the_servers_words(
    site: RunningServer, visit: Visit, tmp_path: Path
) -> None:
    page = opened(visit, site, "digits")
    (tmp_path / "file.png").write_bytes(b"no picture")
    choose(page, tmp_path / "file.png")
    expect(page.get_by_role("alert").filter(has_text="400 bad_body")).to_contain_text("PNG")


def test_a_row_is_filled_with_the_example_and_predicts(
    site: RunningServer, scale_graph: Scale, visit: Visit
) -> None:
    assert site.upload("rows", scale_graph(2.0), params=EXAMPLE).status_code == 200
    page = opened(visit, site, "rows")
    assert [page.get_by_label(name, exact=True).input_value() for name in ("pt", "eta", "phi")] == [
        *("1.5", "2", "3")
    ]
    expect(predict(page).locator("td")).to_have_text(["3", "4", "6"])
    page.get_by_label("eta", exact=True).fill("two")
    page.get_by_role("button", name="Predict", exact=True).click()
    expect(page.locator(".trouble")).to_have_text("eta takes a number, not “two”.")
    page.get_by_label("eta", exact=True).fill("-.5")
    expect(predict(page).locator("td")).to_have_text(["3", "-1", "6"])
    assert violations(page) == []
    site.http.delete("/delete/rows")


def test_an_answer_is_in_sight_and_so_is_why_there_is_none(
    site: RunningServer, visit: Visit
) -> None:
    page = opened(visit, site, "particles")
    page.get_by_role("button", name="Predict", exact=True).press("Enter")
    expect(page.locator(".answer")).to_be_in_viewport(ratio=1)
    page.get_by_label("pt1", exact=True).fill("two")
    page.get_by_role("button", name="Predict", exact=True).press("Enter")
    expect(page.locator(".answer-place .trouble")).to_be_in_viewport(ratio=1)


def test_a_batch_is_pasted_as_csv_and_as_json(
    site: RunningServer, scale_graph: Scale, visit: Visit
) -> None:
    assert site.upload("batches", scale_graph(2.0), params=EXAMPLE).status_code == 200
    page = opened(visit, site, "batches")
    page.get_by_role("tab", name="Batch").click()
    rows = page.get_by_label("Rows, as CSV or JSON")
    rows.fill('phi;"pt";eta\n3;1;2\n6;4;5\n')
    expect(predict(page).locator("td")).to_have_text(["2", "4", "6", "8", "10", "12"])
    rows.fill("[[1, 2, 3]]")
    expect(predict(page).locator("td")).to_have_text(["2", "4", "6"])
    rows.fill("1,2\n")
    predict(page)
    expect(page.get_by_role("alert").filter(has_text="422")).to_contain_text("2 numbers")
    site.http.delete("/delete/batches")


def test_several_inputs_and_outputs_are_asked_as_json(
    site: RunningServer, frozen: Callable[..., bytes], visit: Visit
) -> None:
    def build(tf: Any) -> None:
        a = tf.compat.v1.placeholder(tf.float32, [None, 2], "a")
        b = tf.compat.v1.placeholder(tf.int64, [None, 1], "b")
        tf.multiply(a, 2.0, "doubled")
        tf.add(b, 0, "same")

    assert site.upload("pair", frozen(build)).status_code == 200
    page = opened(visit, site, "pair")
    request = page.get_by_label("The request, without the model")
    assert json.loads(request.input_value()) == {"inputs": {"a": [0, 0], "b": [0]}}
    # No digit of a long integer is lost.
    request.fill('{"inputs": {"a": [1.5, 2], "b": [9007199254740993]}}')
    answer = predict(page)
    expect(answer.locator("section").filter(has_text="doubled").locator("td")).to_have_text(
        ["3", "4"]
    )
    same = answer.locator("section").filter(has_text="same")
    expect(same.locator("td")).to_have_text(["9007199254740993"])
    site.http.delete("/delete/pair")


def test_the_lines_to_copy_answer_what_the_form_answers(site: RunningServer, visit: Visit) -> None:
    page = opened(visit, site, "particles")
    expect(page.get_by_label("pt1", exact=True)).to_have_value("47.9")
    page.get_by_label("pt1", exact=True).fill("40.1")
    answer = predict(page).locator("td").inner_text()
    curl = subprocess.run(["bash", "-c", code(page, "curl")], capture_output=True, check=True)
    python = [sys.executable, "-c", code(page, "Python")]
    printed = subprocess.run(python, capture_output=True, check=True, text=True)
    assert curl.stdout.decode().strip() == f"[{answer}]"
    assert printed.stdout.strip() == f"particles/1 [{answer}]"


@pytest.mark.skipif(not HAS_LIBCURL and not CI, reason="apt-get install g++ libcurl4-openssl-dev")
def test_the_lines_of_cpp_are_compiled_and_answer(
    site: RunningServer, visit: Visit, tmp_path: Path
) -> None:
    (tmp_path / DIGIT.name).write_bytes(DIGIT.read_bytes())
    page = opened(visit, site, "particles")
    printed = {"row": compiled(code(page, "C++"), tmp_path)}
    page.get_by_role("tab", name="Batch").click()
    expect(page.get_by_label("The request by C++")).to_contain_text("], [")
    printed["batch"] = compiled(code(page, "C++"), tmp_path)
    page = opened(visit, site, "digits")
    drop(page.get_by_role("button", name="Drop a picture"), (DIGIT.name, DIGIT.read_bytes()))
    page.get_by_role("tab", name="C++").click()
    expect(page.get_by_label("The request by C++")).to_contain_text(DIGIT.name)
    printed["picture"] = compiled(code(page, "C++"), tmp_path)
    (example,) = site.http.get("/models/particles/versions/1/examples").json()
    rows = [example["values"], [0] * 42, [0] * 42]
    expected = site.predict(model="particles", values=rows).json()
    assert json.loads(printed["batch"]) == expected
    assert json.loads(printed["row"]) == pytest.approx(expected[0])
    assert json.loads(printed["picture"])["labels"][0]["label"] == "5"


def compiled(source: str, folder: Path) -> str:
    """What a program of these lines prints, in ``folder``."""
    (folder / "predict.cpp").write_text(source)
    build = "g++ -Wall -Werror -std=c++17 predict.cpp -lcurl -o predict && ./predict"
    run = subprocess.run(["bash", "-c", build], cwd=folder, capture_output=True, text=True)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_a_batch_that_is_too_long_for_an_argument_is_sent_by_the_same_lines(
    site: RunningServer, visit: Visit, tmp_path: Path
) -> None:
    page = opened(visit, site, "particles", permissions=["clipboard-read", "clipboard-write"])
    page.get_by_role("tab", name="Batch").click()
    row = ",".join(["0.125"] * 42)
    page.get_by_label("Rows, as CSV or JSON").fill("\n".join([row] * 1000))
    expect(predict(page).locator("tbody tr")).to_have_count(200)
    expect(page.get_by_label("The request by curl")).to_contain_text("<<'END'")
    for _ in range(3):
        page.get_by_role("button", name="Copy", exact=True).click()
    expect(page.get_by_text("Copied.")).to_have_count(1)
    (tmp_path / "lines.sh").write_text(page.evaluate("navigator.clipboard.readText()"))
    run = subprocess.run(["bash", str(tmp_path / "lines.sh")], capture_output=True, check=True)
    assert len(json.loads(run.stdout)) == 1000


def test_a_button_that_has_done_its_work_has_the_focus_again(
    site: RunningServer, visit: Visit
) -> None:
    page = opened(visit, site, "particles")
    button = page.get_by_role("button", name="Predict", exact=True)
    button.focus()
    page.keyboard.press("Enter")
    expect(page.locator(".answer-head")).to_be_visible()
    expect(button).to_be_focused()


def test_versions_are_rolled_back_labelled_and_deleted(
    site: RunningServer, scale_graph: Scale, visit: Visit
) -> None:
    for factor in (1.0, 2.0, 3.0):
        assert site.upload("steps", scale_graph(factor)).status_code == 200
    page = opened(visit, site, "steps")
    page.get_by_role("button", name="Roll back").click()
    page.get_by_role("dialog").get_by_role("button", name="Roll back").click()
    expect(page.get_by_text("version 2 is live")).to_be_visible()
    page.get_by_role("button", name="Make version 1 live").click()
    expect(page.get_by_text("version 1 is live")).to_be_visible()
    assert site.predict(model="steps", values=[1, 1, 1]).json() == [1.0, 1.0, 1.0]

    page.get_by_label("Label", exact=True).fill("canary")
    page.get_by_label("names version").select_option("2")
    page.get_by_role("button", name="Set", exact=True).click()
    expect(page.get_by_role("row").filter(has_text="canary")).to_contain_text("2")
    page.get_by_label("Version", exact=True).select_option("labels/canary")
    expect(predict(page).locator(".answer-head")).to_contain_text("steps/2")
    assert violations(page) == []

    page.get_by_role("button", name="Delete version 3").click()
    dialog = page.get_by_role("dialog")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    dialog.get_by_role("textbox").fill("3")
    dialog.get_by_role("button", name="Delete").click()
    expect(page.get_by_role("button", name="Delete version 3")).to_have_count(0)
    assert [each["version"] for each in site.http.get("/models/steps/versions").json()] == [1, 2]
    site.http.delete("/delete/steps")


def test_a_form_and_the_focus_stay_when_another_version_goes_live(
    site: RunningServer, scale_graph: Scale, visit: Visit
) -> None:
    for factor in (1.0, 2.0):
        assert site.upload("compared", scale_graph(factor)).status_code == 200
    page = opened(visit, site, "compared")
    page.get_by_role("tab", name="Batch").click()
    page.get_by_label("Rows, as CSV or JSON").fill("1,2,3\n4,5,6")
    expect(predict(page).locator(".answer-head")).to_contain_text("compared/2")
    page.get_by_role("button", name="Roll back").focus()
    page.keyboard.press("Enter")
    page.get_by_role("dialog").get_by_role("button", name="Roll back").focus()
    page.keyboard.press("Enter")
    expect(page.get_by_text("version 1 is live")).to_be_visible()
    expect(page.get_by_role("dialog")).to_have_count(0)
    expect(page.get_by_role("button", name="Roll back")).to_be_focused()
    expect(page.get_by_label("Version", exact=True)).to_contain_text("live (1)")
    expect(page.get_by_label("Rows, as CSV or JSON")).to_have_value("1,2,3\n4,5,6")
    expect(predict(page).locator(".answer-head")).to_contain_text("compared/1")
    # A button that is gone leaves the focus to the heading.
    page.get_by_role("button", name="Make version 2 live").focus()
    page.keyboard.press("Enter")
    expect(heading(page, "Versions")).to_be_focused()
    site.http.delete("/delete/compared")


def test_a_model_is_deleted_once_its_name_was_typed(
    site: RunningServer, scale_graph: Scale, visit: Visit
) -> None:
    assert site.upload("gone", scale_graph(1.0)).status_code == 200
    page = opened(visit, site, "gone")
    page.get_by_role("button", name="Delete", exact=True).click()
    dialog = page.get_by_role("dialog")
    assert violations(page) == []
    dialog.get_by_role("textbox").fill("gon")
    expect(dialog.get_by_role("button", name="Delete")).to_be_disabled()
    assert "gone" in site.names()
    dialog.get_by_role("textbox").fill("gone")
    dialog.get_by_role("button", name="Delete").click()
    expect(heading(page, "Models")).to_be_visible()
    assert "gone" not in site.names()


@pytest.mark.parametrize("name", [".", "..", "%2e%2E"])
def test_dots_lead_nowhere_else(site: RunningServer, visit: Visit, name: str) -> None:
    page = visit("about:blank")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(urlsplit(request.url).path))
    page.goto(f"{site.url}/#/models/{name}")
    expect(heading(page, "Nothing here")).to_be_visible()
    assert not [path for path in asked if path.endswith(("/versions", "/.", "/.."))]


def test_a_model_that_is_not_there_is_said_to_be_missing(site: RunningServer, visit: Visit) -> None:
    page = visit(f"{site.url}/#/models/nowhere")
    expect(page.get_by_role("alert").filter(has_text="404")).to_contain_text("nowhere")
