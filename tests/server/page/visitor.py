"""What somebody does on the page, and what he must never see."""

from __future__ import annotations

from pathlib import Path

from axe_playwright_python.sync_playwright import Axe
from playwright.sync_api import ConsoleMessage, Locator, Page, expect
from tfaas_backends import demo

from tfaas_core.testing.waiting import until

DIGIT = Path(demo.__file__).parent / "pictures" / "digit-5-1440.png"
"""A 5."""

PATIENCE_MS = 60_000
"""However busy the machine is."""

expect.set_options(timeout=PATIENCE_MS)

_DROP = """([place, files]) => {
  const data = new DataTransfer();
  const typeOf = (name) => ({type: name.endsWith(".png") ? "image/png" : ""});
  for (const [name, bytes] of files)
    data.items.add(new File([new Uint8Array(bytes)], name, typeOf(name)));
  place.dispatchEvent(new DragEvent("drop", {dataTransfer: data, bubbles: true, cancelable: true}));
}"""


def watched(page: Page, faults: list[str]) -> Page:
    """``page``, whose scripts' errors and broken policies are added to ``faults``."""

    def told(message: ConsoleMessage) -> None:
        # That an answer is an error, or none came, is told to the user instead.
        if message.type == "error" and "Failed to load resource" not in message.text:
            faults.append(message.text)

    page.set_default_timeout(PATIENCE_MS)
    page.on("console", told)
    page.on("pageerror", lambda error: faults.append(str(error)))
    return page


def drop(place: Locator, *files: tuple[str, bytes]) -> None:
    """Lets files go over ``place``, by their names and contents."""
    listed = [[name, list(content)] for name, content in files]
    place.evaluate(f"(place, files) => ({_DROP})([place, files])", listed)


def choose(page: Page, *files: Path) -> None:
    """Chooses files by the dialog of the first place to drop them."""
    page.locator("input[type=file]").first.set_input_files(files)


def predict(page: Page) -> Locator:
    """Asks, and gives the place of the answer."""
    page.get_by_role("button", name="Predict", exact=True).click()
    return page.locator(".answer")


def listen(page: Page) -> None:
    """Has the page keep its notes, which it shows for seconds only, for ``heard``."""
    page.evaluate(
        """() => { window.heard = [];
        const notes = document.getElementById("notes");
        const keep = ({addedNodes}) =>
          addedNodes.forEach((each) => window.heard.push(each.innerText));
        new MutationObserver((all) => all.forEach(keep)).observe(notes, {childList: true}); }"""
    )


def heard(page: Page, text: str) -> None:
    """Waits for a note."""

    def is_heard() -> bool:
        return any(text in each for each in page.evaluate("window.heard"))

    until(is_heard, within_s=PATIENCE_MS / 1000, what=f"the page says {text!r}")


def look_again(page: Page) -> None:
    """Has the page ask the server how it is, which it does each two seconds by itself."""
    with page.expect_response("**/status"):
        page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")


def heading(page: Page, text: str) -> Locator:
    return page.get_by_role("heading", name=text, exact=True)


def violations(page: Page) -> list[str]:
    """What axe-core finds that people with other senses could not use."""
    found = Axe().run(page).response["violations"]
    return [f"{each['id']}: {[node['html'] for node in each['nodes']]}" for each in found]
