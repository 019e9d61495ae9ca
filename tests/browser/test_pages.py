"""The pages in a real browser: on a phone and on a wide screen, in light and in dark, with no script and no network.

They need Debian's Chromium (`apt-get install chromium`); where it is missing, they are skipped by name.
"""

import shutil
from pathlib import Path

import pytest

from tests.browser.sample import sample_pages

playwright = pytest.importorskip("playwright.sync_api", reason="the PyPI package playwright is not installed")
CHROMIUM = shutil.which("chromium")
pytestmark = pytest.mark.skipif(CHROMIUM is None, reason="Debian's chromium is not installed: apt-get install chromium")

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PAGES = ("comparison", "evaluation", "decision-rejected", "decision-inconclusive")
PHONE, DESK = 390, 1280
SMALLEST_PX = 11
LEAST_CONTRAST = 4.5  # WCAG 2.1, level AA, for text of any size

SMALL_TEXT = """least => {
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), small = [];
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility() || element.closest('desc, title, style')) continue;
    const box = element.getBoundingClientRect();
    if (box.width < 2 || box.height < 2) continue;
    const matrix = element instanceof SVGElement ? element.getScreenCTM() : null;
    const size = parseFloat(getComputedStyle(element).fontSize) * (matrix ? matrix.a : 1);
    if (size < least - 0.01) small.push(`${size.toFixed(1)} px: ${node.textContent.trim().slice(0, 40)}`);
  }
  return small;
}"""
PALE_TEXT = """least => {
  const canvas = document.createElement('canvas'); canvas.width = canvas.height = 1;
  const pen = canvas.getContext('2d', {willReadFrequently: true});
  const paint = colours => {
    pen.fillStyle = '#fff'; pen.fillRect(0, 0, 1, 1);
    for (const colour of colours) { pen.fillStyle = colour; pen.fillRect(0, 0, 1, 1); }
    const [r, g, b] = [...pen.getImageData(0, 0, 1, 1).data].slice(0, 3).map(value => value / 255)
      .map(value => value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4);
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walker = document.createTreeWalker(document.querySelector('main'), NodeFilter.SHOW_TEXT), pale = [];
  for (let node; (node = walker.nextNode());) {
    const element = node.parentElement;
    if (!node.textContent.trim() || !element.checkVisibility() || element.closest('desc, title, style')) continue;
    const behind = [];
    for (let each = element; each; each = each.parentElement) behind.unshift(getComputedStyle(each).backgroundColor);
    const style = getComputedStyle(element), ink = element instanceof SVGElement ? style.fill : style.color;
    const [dark, light] = [paint(behind), paint([...behind, ink])].sort((a, b) => a - b);
    const contrast = (light + 0.05) / (dark + 0.05);
    if (contrast < least) pale.push(`${contrast.toFixed(1)}: ${node.textContent.trim().slice(0, 40)}`);
  }
  return pale;
}"""


@pytest.fixture(scope="module")
def folder(tmp_path_factory) -> Path:
    """All sample pages."""
    found = tmp_path_factory.mktemp("pages")
    for name, text in sample_pages().items():
        (found / name).write_text(text, encoding="utf-8")
    return found


@pytest.fixture(scope="module")
def browser():
    """One Chromium for all tests."""
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS)
        yield found
        found.close()


@pytest.fixture
def opened(browser, folder):
    """Opens a page; afterwards it must have asked for nothing and complained of nothing."""
    requests, complaints, contexts = [], [], []

    def open_(name, *, width=DESK, scheme="light"):
        context = browser.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
        contexts.append(context)
        page = context.new_page()
        page.on("request", lambda request: requests.append(request.url))
        page.on("console", lambda message: complaints.append(message.text))
        page.on("pageerror", lambda error: complaints.append(str(error)))
        page.goto((folder / f"{name}.html").as_uri())
        return page

    yield open_
    for context in contexts:
        context.close()
    assert [url for url in requests if not url.startswith(("file:", "data:"))] == []
    assert len([url for url in requests if url.startswith("file:")]) == len(contexts)
    assert complaints == []


def shown(page, section="#images"):
    """The images that are shown, by name."""
    return [
        case.locator("figcaption strong").inner_text()
        for case in page.locator(f"{section} .case").all()
        if case.is_visible()
    ]


def choose(page, *ids):
    for id in ids:
        page.locator(f"label:has(#{id})").click()


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("name", PAGES)
def test_a_page_is_never_wider_than_its_window(opened, name, width):
    page = opened(name, width=width)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.evaluate("document.documentElement.scrollWidth") <= width


@pytest.mark.parametrize("width", [PHONE, DESK])
@pytest.mark.parametrize("name", PAGES)
def test_no_text_is_too_small_to_read(opened, name, width):
    page = opened(name, width=width)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.evaluate(SMALL_TEXT, SMALLEST_PX) == []


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("name", PAGES)
def test_every_text_stands_out_from_its_background(opened, name, scheme):
    page = opened(name, scheme=scheme)
    page.evaluate("document.querySelectorAll('details').forEach(each => { each.open = true })")
    assert page.evaluate(PALE_TEXT, LEAST_CONTRAST) == []


def test_small_and_pale_texts_would_be_found(opened):
    page = opened("comparison", width=PHONE)
    assert {text.split(": ")[1] for text in page.evaluate(SMALL_TEXT, 12.5)} >= {"recall", "precision"}
    assert any(text.startswith("6.") for text in page.evaluate(PALE_TEXT, 7))


def test_the_page_is_dark_where_the_reader_wants_it_dark(opened):
    background = "getComputedStyle(document.body).backgroundColor"
    assert opened("comparison", scheme="dark").evaluate(background) != opened("comparison").evaluate(background)


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_verdict_the_certainty_and_the_next_step_are_seen_without_scrolling(opened, width):
    page = opened("decision-promoted", width=width)
    for text in ("Promoted to staging", "How sure", "What to do next", "To undo it"):
        box = page.get_by_text(text).first.bounding_box()
        assert box["y"] + box["height"] <= 900


def test_all_images_are_shown_until_a_filter_is_chosen(opened):
    page = opened("comparison")
    assert len(shown(page)) == page.locator("#images .case").count()
    assert not page.locator("#images .tally").first.is_visible()


@pytest.mark.parametrize(
    ("filters", "kind"),
    [(["class-2"], "k2"), (["error-missed"], "e-missed"), (["class-0", "error-background"], "k0-background")],
)
def test_a_filter_shows_the_images_that_have_it_and_no_others(opened, filters, kind):
    page = opened("comparison")
    wanted = page.locator(f"#images .case.{kind} figcaption strong").all_inner_texts()
    choose(page, *filters)
    assert shown(page) == wanted
    assert 0 < len(wanted) < page.locator("#images .case").count()


def test_filters_are_taken_back_by_choosing_all(opened):
    page = opened("comparison")
    before = shown(page)
    choose(page, "class-2", "error-missed", "class-any", "error-any")
    assert shown(page) == before


def test_a_filter_can_be_chosen_with_the_keyboard_alone(opened):
    page = opened("comparison")
    page.locator("#class-any").focus()
    page.keyboard.press("ArrowRight")
    assert page.locator("#class-0").is_checked()


def test_the_number_of_images_that_match_is_shown(opened):
    page = opened("comparison")
    choose(page, "class-2")
    tally = page.locator("#images .tally").first
    assert tally.is_visible()
    drawn = "each => getComputedStyle(each, '::before').content"
    assert tally.evaluate(drawn) in {"counter(case)", '"2"'}


def test_images_can_be_made_large(opened):
    page = opened("comparison")
    picture = page.locator("#images .picture").first
    before = picture.bounding_box()["width"]
    choose(page, "size-large")
    assert picture.bounding_box()["width"] > 1.5 * before


@pytest.mark.parametrize("width", [PHONE, DESK])
def test_one_image_can_be_enlarged_and_closed_again(opened, width):
    page = opened("comparison", width=width)
    panel = page.locator("#images .panel").nth(1)
    picture, before = panel.locator(".picture"), panel.locator(".picture").bounding_box()["width"]
    panel.locator(".enlarge").click()
    assert picture.bounding_box()["width"] > max(2 * before, 900)
    box = panel.bounding_box()
    assert (box["x"], box["y"], box["width"], box["height"]) == (0, 0, width, 900)
    panel.get_by_role("link", name="Close").click()
    assert picture.bounding_box()["width"] == before
    assert page.evaluate("document.documentElement.scrollWidth") <= width


def test_an_image_can_be_enlarged_with_the_keyboard_alone(opened):
    page = opened("comparison")
    page.locator("#images .enlarge").first.focus()
    page.keyboard.press("Enter")
    page.keyboard.press("Tab")
    assert page.evaluate("document.activeElement.textContent") == "Close"


def test_both_models_see_the_same_embedded_image(opened):
    page = opened("comparison")
    first = page.locator("#images .case").first
    widths = first.locator("svg image, svg use").evaluate_all(
        "all => all.map(each => each.getBoundingClientRect().width)"
    )
    assert len(widths) == 2
    assert widths[0] == pytest.approx(widths[1], rel=0.02)
    assert widths[1] > 100


def test_long_lists_open_on_request(opened):
    page = opened("comparison")
    inside = page.locator("#metrics details table")
    assert not inside.is_visible()
    page.locator("#metrics summary").click()
    assert inside.is_visible()


def test_a_table_of_intervals_is_a_table_for_those_who_hear_it_on_a_phone_too(opened):
    page = opened("comparison", width=PHONE)
    table = page.locator("#metrics").get_by_role("table").first
    assert table.get_by_role("columnheader").count() == 6
    assert table.get_by_role("rowheader").count() == 6


@pytest.mark.parametrize("name", ["comparison", "evaluation"])
@pytest.mark.parametrize("width", [PHONE, DESK])
def test_the_intervals_have_an_axis_with_numbers_above_their_own_column(opened, name, width):
    page = opened(name, width=width)
    heads, cells = (page.locator(f"#metrics table >> nth=0 >> {part} .drawn") for part in ("thead", "tbody"))
    assert heads.count() == (2 if name == "comparison" else 1)
    for place in range(heads.count()):
        scale, strip = heads.nth(place).locator("svg"), cells.nth(place).locator("svg.strip")
        assert scale.bounding_box()["x"] == pytest.approx(strip.bounding_box()["x"], abs=1)
        assert scale.bounding_box()["width"] == pytest.approx(strip.bounding_box()["width"], abs=1)
        numbers = [text.bounding_box() for text in scale.locator("text").all()]
        assert len(numbers) >= 2
        assert all(box["x"] >= 0 and box["x"] + box["width"] <= width and box["height"] > 8 for box in numbers)


def test_a_table_that_scrolls_shows_it_at_its_edge_and_has_a_name(opened):
    page = opened("comparison", width=PHONE)
    table = page.locator("#confusion .scroll").first
    assert table.evaluate("each => each.scrollWidth > each.clientWidth")
    assert "gradient" in table.evaluate("each => getComputedStyle(each).backgroundImage")
    assert table.get_attribute("role") == "region"
    assert table.get_attribute("aria-label") == table.locator("caption").inner_text()
    caption = table.locator("caption span").bounding_box()
    assert caption["x"] + caption["width"] <= PHONE


def test_on_paper_there_are_no_filters_and_tables_stay_tables(opened):
    page = opened("comparison", width=700)
    page.emulate_media(media="print")
    assert not page.locator(".filters").is_visible()
    assert page.locator("#metrics tbody tr").first.evaluate("row => getComputedStyle(row).display") == "table-row"
