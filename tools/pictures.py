"""Make the README's pictures in docs/images, from records such as the demo's; needs Debian's Chromium.

    python tools/pictures.py page reports/decisions/DATE-ID.html decision
    python tools/pictures.py page reports/compare.html comparison
    python tools/pictures.py mlflow "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning"
    python tools/pictures.py zenml http://127.0.0.1:8237

`cv-yolo ui --no-browser` prints the addresses. `page` takes any page, `--width 390` as on a phone.
"""

import argparse
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from playwright.sync_api import Page, sync_playwright

FOLDER = Path(__file__).resolve().parents[1] / "docs" / "images"
WIDTH_PX, HEIGHT_PX = 1280, 800
TIMEOUT_MS = 120_000
DRAWN_AFTER_MS = 15_000  # no event says when MLflow's charts are drawn
CHARTS = "&compareRunsMode=CHART"
CURVES = "^val/"  # a regular expression
RUN_NAME = "grid-"
WITHOUT_ASSISTANT = (
    "localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');"
    "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');"
)


@contextmanager
def opened(url: str, width_px: int = WIDTH_PX) -> Iterator[Page]:
    """The address in a new browser of that width, closed with the block."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": width_px, "height": HEIGHT_PX})
        context.add_init_script(WITHOUT_ASSISTANT)
        page = context.new_page()
        page.set_default_timeout(TIMEOUT_MS)
        page.goto(url)
        yield page
        browser.close()


def take_page(file: Path, out: Path, *, width_px: int, whole: bool) -> None:
    """A report: its first screen, or all of it."""
    with opened(file.resolve().as_uri(), width_px) as page:
        page.screenshot(path=out, full_page=whole)


def take_mlflow(url: str, out: Path) -> None:
    """MLflow's page of the runs, with the curves of all of them."""
    with opened(url + CHARTS) as page:
        page.get_by_placeholder("Search metric charts").fill(CURVES)
        page.wait_for_timeout(DRAWN_AFTER_MS)
        page.screenshot(path=out)


def take_zenml(url: str, out: Path) -> None:
    """ZenML's page of the oldest grid on its first page, without the banner of a local server."""
    with opened(f"{url}/projects/default/runs") as page:
        page.get_by_role("link", name=RUN_NAME).last.click()
        page.get_by_text("Total Steps").wait_for()
        page.locator("button:right-of(:text('Book a demo'))").first.click()
        page.wait_for_timeout(DRAWN_AFTER_MS)
        page.screenshot(path=out)


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    kinds = parser.add_subparsers(dest="kind", required=True)
    page = kinds.add_parser("page", help="one of our reports")
    page.add_argument("file", type=Path)
    page.add_argument("name", help="of the picture")
    page.add_argument("--width", type=int, default=WIDTH_PX, help="in pixels")
    page.add_argument("--whole", action="store_true", help="all of the page, not its first screen")
    for kind in ("mlflow", "zenml"):
        server = kinds.add_parser(kind, help=f"a page of {kind}'s")
        server.add_argument("url", help="as `cv-yolo ui` prints it")
        server.set_defaults(name=kind)
    parser.add_argument("--folder", type=Path, default=FOLDER)
    given = parser.parse_args()
    out = given.folder / f"{given.name}.png"
    if given.kind == "page":
        take_page(given.file, out, width_px=given.width, whole=given.whole)
    else:
        {"mlflow": take_mlflow, "zenml": take_zenml}[given.kind](given.url, out)
    print(f"{out}: {out.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
