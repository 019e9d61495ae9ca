"""Make docs/images/mlflow.png: MLflow's page of the runs, with the curves of all of them.

Needs Debian's Chromium and records, those of the demo for instance; `cv-yolo ui --no-browser` prints the address:

    python tools/picture_of_mlflow.py "http://127.0.0.1:5000/#/experiments/1/runs?workflowType=machine_learning"
"""

import argparse
import shutil
from pathlib import Path

from playwright.sync_api import sync_playwright

OUT = Path(__file__).resolve().parents[1] / "docs" / "images" / "mlflow.png"
WIDTH_PX, HEIGHT_PX = 1280, 800
PATIENCE_MS = 120_000
DRAWN_AFTER_MS = 15_000  # the charts tell nobody when they are drawn
CHARTS = "&compareRunsMode=CHART"
CURVES = "^val/"  # a regular expression
WITHOUT_ASSISTANT = (
    "localStorage.setItem('mlflow.assistant.panelOpen_v1', 'false');"
    "localStorage.setItem('mlflow.assistant.fab.autoOpenedOnFirstLoad_v1', 'true');"
)


def take(page_url: str, out: Path) -> None:
    """Open the charts of the runs, show those of the curves, and keep the page as a picture."""
    with sync_playwright() as started:
        browser = started.chromium.launch(executable_path=shutil.which("chromium"), args=["--no-sandbox"])
        context = browser.new_context(viewport={"width": WIDTH_PX, "height": HEIGHT_PX})
        context.add_init_script(WITHOUT_ASSISTANT)
        page = context.new_page()
        page.set_default_timeout(PATIENCE_MS)
        page.goto(page_url + CHARTS)
        page.get_by_placeholder("Search metric charts").fill(CURVES)
        page.wait_for_timeout(DRAWN_AFTER_MS)
        page.screenshot(path=out)
        browser.close()


def main() -> None:
    """The command line."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("url", help="MLflow's page, as `cv-yolo ui` prints it")
    parser.add_argument("--out", type=Path, default=OUT)
    given = parser.parse_args()
    take(given.url, given.out)
    print(f"{given.out}: {given.out.stat().st_size / 1000:.0f} KB")


if __name__ == "__main__":
    main()
