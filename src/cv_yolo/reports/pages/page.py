"""The frame of every page: one file, no script, nothing fetched."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from cv_yolo.reports.text.formatting import escaped

POLICY: Final = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"
CODE: Final = re.compile(r"`([^`]+)`")


@dataclass(frozen=True, slots=True, kw_only=True)
class Part:
    """A part of a page under its heading; `id` is where a link leads to it."""

    id: str
    heading: str
    contents: tuple[str, ...]


def page(title: str, body: str, *, style: str = "") -> str:
    """A whole HTML page around a body that is HTML already; `style` are rules of this page alone."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}{style}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def parts_html(parts: Sequence[Part]) -> str:
    """The links to the parts, and the parts."""
    links = "".join(f'<li><a href="#{part.id}">{escaped(part.heading)}</a></li>' for part in parts)
    sections = "\n".join(section(part.heading, *part.contents, id=part.id) for part in parts)
    return f'<nav aria-label="On this page"><ul>{links}</ul></nav>\n{sections}'


def section(heading: str, *contents: str, id: str | None = None) -> str:
    """A part of a page under its heading."""
    inner = "\n".join(contents)
    opening = "<section>" if id is None else f'<section id="{id}">'
    return f"{opening}\n<h2>{escaped(heading)}</h2>\n{inner}\n</section>"


def paragraph(text: str, *, kind: str | None = None) -> str:
    """A paragraph of plain text, in which `` `…` `` is what a person types; `kind` names its style."""
    opening = "<p>" if kind is None else f'<p class="{kind}">'
    return f"{opening}{marked_up(text)}</p>"


def warnings(sentences: Sequence[str]) -> str:
    """Warnings, a paragraph each."""
    return "".join(paragraph(f"{each}.", kind="warning") + "\n" for each in sentences)


def marked_up(text: str) -> str:
    """Plain text as HTML, in which `` `…` `` is what a person types."""
    return CODE.sub(r"<code>\1</code>", escaped(text))


def folded(summary: str, inner: str) -> str:
    """Something that opens on request."""
    return f"<details><summary>{escaped(summary)}</summary>\n{inner}\n</details>"


FRAME: Final = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --muted: #59626d; --line: #d9dee4; --wash: #f5f7f9;
  --good: #0a6448; --good-wash: #ebf5f1; --bad: #963412; --bad-wash: #fbf0ea; --open: #6a4d00; --open-wash: #faf4e1;
  --link: #0b5a94 }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --ink: #e4e7ea; --muted: #9aa5b1; --line: #323940; --wash: #1c2125;
    --good: #7ad4ae; --good-wash: #14271f; --bad: #f2a882; --bad-wash: #30201a; --open: #e8c766; --open-wash: #29230f;
    --link: #8cc4f2 }
  .slot-0 { color: #6cb6f0 } .slot-1 { color: #ff8a4c } .slot-2 { color: #35c29a } .slot-3 { color: #e39ac4 }
  .slot-4 { color: #e6b23c } .slot-5 { color: #a3d4f5 } .slot-6 { color: #a9b3bd } }
* { box-sizing: border-box }
@media (prefers-reduced-motion: no-preference) { html { scroll-behavior: smooth } }
body { margin: 0; background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 72rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
h1 { font-size: clamp(1.55rem, 1.2rem + 1.6vw, 2.2rem); line-height: 1.2; letter-spacing: -.015em;
  margin: .25rem 0 .6rem; text-wrap: balance }
h2 { font-size: 1.3rem; line-height: 1.3; margin: 3.25rem 0 .75rem; scroll-margin-top: 1rem }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem } h3 small { font-weight: 400; margin-left: .4rem }
p { margin: 0 0 .75rem; max-width: 46rem; text-wrap: pretty }
a { color: var(--link); text-underline-offset: .15em } small { font-size: .85em }
code { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace;
  background: var(--wash); padding: .1em .3em; border-radius: .2rem; overflow-wrap: anywhere }
.facts code { background: none; padding: 0 }
h1, h2, p, li, dd, td, th, figcaption, summary { overflow-wrap: anywhere }
.muted { color: var(--muted); fill: var(--muted) } .note { color: var(--muted); font-size: .875rem }
.is-good { color: var(--good) } .is-bad { color: var(--bad) } .is-open { color: var(--muted) }
.warning { color: var(--bad); font-weight: 600 }
nav ul { list-style: none; display: flex; flex-wrap: wrap; gap: .2rem 1.1rem; margin: 1.5rem 0 0; padding: .7rem 0;
  border-block: 1px solid var(--line); font-size: .925rem }
.icon { display: block; width: 1.4rem; height: 1.4rem }
summary { cursor: pointer; padding: .55rem 0; color: var(--link); width: fit-content }
details { margin: .25rem 0 } details[open] { margin-bottom: 1rem }
"""
VERDICT: Final = """
.banner { padding: 1.5rem 1.75rem 1.4rem; border-radius: .4rem; background: var(--wash) }
.banner p { color: var(--ink); margin: 0 } .banner .lead { font-size: 1.1rem }
.banner .warning { color: var(--bad) }
.banner .kicker, .banner .fine { color: var(--muted); font-size: .875rem } .banner .fine { margin-top: .5rem }
.banner h1 { display: grid; grid-template-columns: auto 1fr; gap: .6rem; align-items: center }
.banner h1 .icon { width: 1.15em; height: 1.15em }
.banner .code, .brief code { background: color-mix(in srgb, var(--ink) 8%, transparent) }
.good { background: var(--good-wash) } .good h1 { color: var(--good) }
.bad { background: var(--bad-wash) } .bad h1 { color: var(--bad) }
.open { background: var(--open-wash) } .open h1 { color: var(--open) }
.brief { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 20rem), 1fr)); gap: 1rem 2.5rem;
  margin: 1.25rem 0 0; padding-top: 1rem; border-top: 1px solid color-mix(in srgb, currentColor 18%, transparent) }
.brief dt { font-weight: 600; margin-bottom: .15rem } .brief dd { margin: 0 }
.brief p { font-size: .975rem; margin-bottom: .35rem }
.checks { list-style: none; margin: 0; padding: 0; border-top: 1px solid var(--line) }
.checks li { display: grid; grid-template-columns: 2.1rem minmax(0, 1fr) minmax(0, 17rem); gap: 0 .25rem;
  padding: .85rem 0; border-bottom: 1px solid var(--line) }
.checks p { margin: 0; max-width: none } .checks li:not(.passed) em { font-weight: 700 }
.checks em { font-style: normal } .failed em { color: var(--bad) } .undecided em, .waived em { color: var(--open) }
.checks .drawn { align-self: center; padding: 0 .75rem }
.checks .drawn > div { overflow: hidden; margin: 0 -.75rem; padding: 0 .75rem }
.passed .icon { color: var(--good) } .failed .icon { color: var(--bad) }
.undecided .icon, .waived .icon { color: var(--open) }
@media screen and (max-width: 46rem) { .banner { padding: 1.15rem 1.15rem 1rem }
  .checks li { grid-template-columns: 2.1rem minmax(0, 1fr) } .checks .drawn { grid-column: 2; margin-top: .4rem } }
"""
TABLES: Final = """
table { border-collapse: collapse; width: 100%; font-size: .925rem; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--muted); font-size: .875rem; padding: .6rem 0 .4rem }
th, td { padding: .5rem .75rem; text-align: right; border-top: 1px solid var(--line) }
thead th { border: 0; color: var(--muted); font-size: .825rem; font-weight: 500; vertical-align: bottom }
th:first-child { text-align: left } tbody th { font-weight: 400 }
.scroll { overflow-x: auto; border-block: 1px solid var(--line); margin-bottom: .75rem }
.scroll:focus-visible { outline: 2px solid var(--link); outline-offset: 2px }
.scroll th, .scroll td { white-space: nowrap }
.scroll th:first-child { position: sticky; left: 0; background: var(--paper); white-space: normal;
  min-width: 6.5rem; max-width: 14rem }
.runs td:last-child, .runs thead th:last-child { text-align: left }
.best th, .best td { background: var(--wash); font-weight: 600 } .runs small { font-weight: 400; display: block }
.best th:first-child { background: var(--wash); box-shadow: inset .2rem 0 var(--ink) }
.runs td small { color: var(--muted) } .unproven td, .unproven th { color: var(--muted) }
.unproven td:last-child { color: var(--bad); font-weight: 600 } .reasons { margin: 0 0 .75rem; padding-left: 1.1rem }
.intervals { table-layout: fixed; border-bottom: 1px solid var(--line); margin-bottom: .75rem }
.intervals th, .intervals td { padding: .45rem .5rem; vertical-align: middle; text-align: left }
.intervals thead th { vertical-align: bottom } .intervals .label small { display: block }
.intervals .label { padding-left: 0 } .intervals td.drawn { overflow: hidden }
.figure { display: inline-block; vertical-align: top } .figure small { display: block; white-space: nowrap }
.value .swatch { margin: 0 .35rem 0 0; vertical-align: baseline }
.telling { display: block; font-size: .8rem; font-weight: 600 } .telling.is-open { font-weight: 400 }
@media print, (min-width: 46.01rem) { .intervals .label { width: 19% } .intervals .value { width: 13.5% }
  .intervals .apart { width: 15% } .intervals .drawn { padding: .45rem 1.1rem } .intervals .key { display: none }
  .intervals.single .label { width: 24% } .intervals.single .value { width: 18% } }
.strip, .scale { display: block; overflow: visible } .strip line { stroke: currentColor }
.strip .grid { stroke: var(--line) } .strip .limit { stroke: var(--ink); stroke-width: 1.25 }
.strip .reach { stroke-width: 2 } .strip .whisker { stroke: var(--ink); stroke-width: 1.25 }
.key { display: flex; flex-wrap: wrap; gap: .2rem 1.2rem } .key .swatch { margin-right: .4rem }
.matrices { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 26rem), 1fr)); gap: 1rem 2.5rem }
.matrices > * { min-width: 0 } .heat { border-spacing: 2px; border-collapse: separate }
.heat td { text-align: center; border: 0; border-radius: .2rem; min-width: 3.6rem } .heat small { display: block }
.heat tbody th { border: 0 } .heat thead th { text-align: center; vertical-align: bottom }
.heat thead th:first-child { text-align: left }
@media screen and (max-width: 46rem) {
  .intervals, .intervals tbody, .intervals caption { display: block } caption .key { margin-top: .3rem }
  .intervals thead { position: absolute; width: 1px; height: 1px; overflow: hidden; clip-path: inset(50%) }
  .intervals tr { display: grid; grid-template-columns: minmax(10.75rem, 46%) minmax(0, 1fr); align-items: center;
    border-top: 1px solid var(--line); padding: .6rem 0 .7rem }
  .intervals tbody th, .intervals tbody td { border: 0; padding: .12rem 0 }
  .intervals tbody .label { grid-column: 1 / -1; font-weight: 600; padding-bottom: .2rem }
  .intervals .label small { font-weight: 400 } .intervals tbody .drawn { padding: 0 .8rem }
  .pair tbody td:nth-child(4) { grid-area: 2 / 2 / 4 / 3; align-self: stretch; display: grid; align-items: center }
  .pair tbody td:nth-child(5) { grid-column: 1 }
  .figure { white-space: nowrap; font-size: .875rem } .figure small { display: inline } }
"""
PICTURES: Final = """
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 21rem), 1fr)); gap: 2rem 2.5rem;
  margin: 1rem 0 2rem }
.charts > * { min-width: 0; max-width: 34rem } .chart { display: block; width: 100%; height: auto; max-width: 34rem }
.legend { list-style: none; display: flex; flex-wrap: wrap; gap: .3rem 1.4rem; margin: .75rem 0; padding: 0;
  font-size: .875rem } .legend svg { vertical-align: middle; margin-right: .4rem; background: #6b747d }
.filters { display: grid; gap: .6rem } .filters fieldset { border: 0; margin: 0; padding: 0; display: flex;
  flex-wrap: wrap; gap: .35rem; align-items: center; min-width: 0 }
.filters legend { float: left; width: 3.6rem; padding: 0; font-size: .875rem; color: var(--muted) }
.filters label { border: 1px solid var(--line); border-radius: 2rem; padding: .3rem .8rem; font-size: .875rem;
  cursor: pointer; line-height: 1.4 } .filters label:hover { border-color: var(--muted) }
.filters input { position: absolute; opacity: 0; width: 1px; height: 1px }
.filters label:has(:checked) { background: var(--ink); color: var(--paper); border-color: var(--ink) }
.filters label:has(:focus-visible) { outline: 2px solid var(--link); outline-offset: 2px }
.cases { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 30rem), 1fr)); gap: 2rem 2.5rem;
  counter-reset: case } .case { counter-increment: case; min-width: 0; margin: 0 }
.gallery:has(#size-large:checked) .cases { grid-template-columns: 1fr } .gallery h3 { margin-top: 2.25rem }
.case figcaption { font-size: .875rem; margin: 0 0 .5rem; color: var(--ink); max-width: none }
.panels { display: grid; grid-template-columns: repeat(auto-fit, minmax(min(100%, 13rem), 1fr)); gap: 1rem }
.panel { min-width: 0 } .panel p { margin: 0 }
.who { font-size: .875rem } .who span { display: block; color: var(--muted) }
.who .swatch { margin-right: .35rem }
.picture { position: relative; overflow: hidden; margin: .3rem 0 .45rem; border-radius: .2rem }
.picture svg { display: block; width: 100%; height: auto }
.box { fill: none; vector-effect: non-scaling-stroke }
.found { stroke: #fff; stroke-width: 1.25; stroke-dasharray: 5 4 }
.missed { stroke: #ffd84d; stroke-width: 3; stroke-dasharray: 8 4 } .right { stroke: #5fe3ab; stroke-width: 1.75 }
.wrong { stroke: #ff8f55; stroke-width: 3 } .crowd { stroke: #fff; stroke-width: 1.25; stroke-dasharray: 1 4 }
.box.under { stroke-dasharray: none; stroke: #0b0d0f } .under.found, .under.crowd { stroke-width: 2.5 }
.under.right { stroke-width: 3.25 } .under.missed, .under.wrong { stroke-width: 5 }
.number { position: absolute; transform: translateY(-100%); font: 700 .75rem/1.35 system-ui, sans-serif;
  padding: 0 .25rem; color: #0b0d0f; white-space: nowrap } .number.inside { transform: none }
.number.missed { background: #ffd84d } .number.wrong { background: #ff8f55 }
.told { list-style: none; margin: 0; padding: 0; font-size: .8125rem; line-height: 1.45 }
.told .sign { font-weight: 700; font-variant-numeric: tabular-nums }
.tally { display: none; margin: 1rem 0 0; color: var(--muted); font-size: .875rem }
.tally::before { content: counter(case) }
.gallery:has(:is([name="class"], [name="error"]):not([value="any"]):checked) .tally { display: block }
figure { margin: 0 } figure > img { display: block; width: 100%; max-width: 42rem; height: auto; background: #fff;
  border: 1px solid var(--line); border-radius: .2rem }
figcaption { color: var(--muted); font-size: .875rem; margin-top: .5rem; max-width: 46rem }
.facts { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; margin: 0; font-size: .925rem }
.facts dt, .facts dd { margin: 0; padding: .4rem 0; border-bottom: 1px solid var(--line) }
.facts dt { color: var(--muted); padding-right: 1.5rem; max-width: 18rem; overflow-wrap: anywhere }
@media (max-width: 34rem) { main { padding: 1rem 1rem 3rem } h2 { margin-top: 2.5rem } .facts { display: block }
  .facts dt { border: 0; padding: .5rem 0 0; font-size: .85rem } .facts dd { padding-top: 0 } }
"""
PAPER: Final = """
@media print { :root { font-size: 9.5pt } main { max-width: none; padding: 0 } .scroll { overflow: visible }
  nav, .filters, .tally, summary { display: none } h2 { margin-top: 1.6rem } h2, h3 { break-after: avoid }
  .banner, .chart, tr, li, .case { break-inside: avoid } th, td { padding: .3rem .4rem } table { font-size: .8rem }
  .charts { grid-template-columns: repeat(3, 1fr); gap: 1.2rem } .cases { grid-template-columns: repeat(2, 1fr) }
  .intervals td.drawn { padding-inline: .8rem } .brief { grid-template-columns: 1fr 1fr }
  .banner, .best th, .best td, .heat td, .legend svg, .number, .box {
    print-color-adjust: exact; -webkit-print-color-adjust: exact }
  figure > img { max-height: 22cm; width: auto; max-width: 100% } }
"""
STYLE: Final = FRAME + VERDICT + TABLES + PICTURES + PAPER
