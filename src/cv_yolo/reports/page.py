"""The frame of every page: one file, no script, nothing fetched; in light and in dark, on a phone and on paper."""

from cv_yolo.reports.text import escaped

STYLE = """
:root { color-scheme: light dark; --paper: #fff; --ink: #1b1f24; --muted: #59626d; --line: #d9dee4; --wash: #f5f7f9;
  --good: #0a6448; --good-wash: #ebf5f1; --bad: #963412; --bad-wash: #fbf0ea; }
@media screen and (prefers-color-scheme: dark) {
  :root { --paper: #14171a; --ink: #e4e7ea; --muted: #9aa5b1; --line: #323940; --wash: #1c2125;
    --good: #7ad4ae; --good-wash: #14271f; --bad: #f2a882; --bad-wash: #30201a; }
  .slot-0 { color: #6cb6f0 } .slot-1 { color: #ff8a4c } .slot-2 { color: #35c29a }
  .slot-3 { color: #e39ac4 } .slot-4 { color: #e6b23c } .slot-5 { color: #a3d4f5 } }
* { box-sizing: border-box }
body { margin: 0; background: var(--paper); color: var(--ink); -webkit-text-size-adjust: 100%;
  font: 1rem/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "Helvetica Neue", Arial, sans-serif }
main { max-width: 68rem; margin: 0 auto; padding: 2.5rem 1.25rem 4rem }
h1 { font-size: clamp(1.7rem, 1.3rem + 1.8vw, 2.4rem); line-height: 1.15; letter-spacing: -.015em;
  margin: .25rem 0 .6rem }
h2 { font-size: 1.2rem; line-height: 1.3; margin: 3rem 0 .75rem }
h3 { font-size: 1rem; margin: 1.5rem 0 .4rem }
p { margin: 0 0 .75rem; max-width: 44rem; text-wrap: pretty }
code { font: .86em/1.5 ui-monospace, SFMono-Regular, Menlo, Consolas, "Liberation Mono", monospace }
h1, h2, p, li, dd, td, th { overflow-wrap: anywhere }
.muted { color: var(--muted); fill: var(--muted) }
.note { color: var(--muted); font-size: .875rem }
.banner { padding: 1.5rem 1.75rem 1.4rem; border-left: .4rem solid; border-radius: .3rem }
.banner p { color: var(--ink); font-size: 1.1rem; margin: 0 }
.banner .kicker { color: var(--muted); font-size: .875rem }
.promote { background: var(--good-wash); border-color: var(--good) } .promote h1, .passed .mark { color: var(--good) }
.reject { background: var(--bad-wash); border-color: var(--bad) } .reject h1, .failed .mark { color: var(--bad) }
.figures { display: grid; grid-template-columns: repeat(auto-fit, minmax(7.5rem, 1fr)); gap: 1rem; margin: 1.5rem 0 0 }
.figures div { border-top: 1px solid var(--line); padding-top: .5rem }
.figures dt { color: var(--muted); font-size: .875rem }
.figures dd { margin: 0; font-size: 1.6rem; line-height: 1.3; font-variant-numeric: tabular-nums }
.checks { list-style: none; margin: 0; padding: 0; border-top: 1px solid var(--line) }
.checks li { display: grid; grid-template-columns: 2rem 1fr; padding: .8rem 0; border-bottom: 1px solid var(--line) }
.checks p { margin: 0; max-width: none } .mark { font-size: 1.15rem; line-height: 1.4; font-weight: 700 }
.scroll { overflow-x: auto; border-block: 1px solid var(--line); margin-bottom: .75rem }
.scroll:focus-visible { outline: 2px solid var(--good); outline-offset: 2px }
table { border-collapse: collapse; width: 100%; font-size: .925rem; font-variant-numeric: tabular-nums }
caption { text-align: left; color: var(--muted); font-size: .875rem; padding: .6rem 0 .3rem }
th, td { padding: .55rem .75rem; text-align: right; white-space: nowrap; border-top: 1px solid var(--line) }
thead th { border: 0; color: var(--muted); font-size: .825rem; font-weight: 500; vertical-align: bottom }
th:first-child { text-align: left; position: sticky; left: 0; background: var(--paper); white-space: normal;
  min-width: 6.5rem; max-width: 14rem }
td:last-child, thead th:last-child { text-align: left }
tbody th { font-weight: 400 } .best th, .best td { background: var(--wash); font-weight: 600 }
.best th:first-child { background: var(--wash); box-shadow: inset .2rem 0 var(--ink) }
.best small { display: block; font-weight: 400 } .unproven td, .unproven th { color: var(--muted) }
.unproven td:last-child { color: var(--bad); font-weight: 600 }
.reasons { margin: 0 0 .75rem; padding-left: 1.1rem }
.warning { color: var(--bad); font-weight: 600 }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(min(100%, 19rem), 1fr)); gap: 2rem 2.5rem;
  margin: 1rem 0 2rem }
.charts > * { min-width: 0; max-width: 34rem } .chart { display: block; width: 100%; height: auto }
figure { margin: 0 } figure img { display: block; width: 100%; max-width: 42rem; height: auto; background: #fff;
  border: 1px solid var(--line); border-radius: .2rem }
figcaption { color: var(--muted); font-size: .875rem; margin-top: .5rem; max-width: 44rem }
summary { cursor: pointer; padding: .4rem 0 } details { border-bottom: 1px solid var(--line) }
.facts { display: grid; grid-template-columns: minmax(9rem, max-content) 1fr; margin: 0; font-size: .925rem }
.facts dt, .facts dd { margin: 0; padding: .4rem 0; border-bottom: 1px solid var(--line) }
.facts dt { color: var(--muted); padding-right: 1.5rem; max-width: 16rem; overflow-wrap: anywhere }
@media (max-width: 34rem) { main { padding: 1rem 1rem 3rem } .banner { padding: 1.1rem 1.15rem }
  h2 { margin-top: 2.25rem } .facts { display: block } .facts dt { border: 0; padding: .5rem 0 0; font-size: .85rem }
  .facts dd { padding-top: 0 } }
@media print { :root { font-size: 10pt } main { max-width: none; padding: 0 } .scroll { overflow: visible }
  h2 { break-after: avoid } .banner, .chart, tr, li { break-inside: avoid } th, td { padding: .35rem .4rem }
  table { font-size: .8rem } .charts { grid-template-columns: repeat(3, 1fr); gap: 1.2rem }
  h2 { margin-top: 1.6rem }
  .banner, .best th, .best td { print-color-adjust: exact; -webkit-print-color-adjust: exact }
  figure img { max-height: 22cm; width: auto; max-width: 100% } }
"""
POLICY = "default-src 'none'; style-src 'unsafe-inline'; img-src data:"


def page(title: str, body: str) -> str:
    """A whole HTML page around a body that is HTML already."""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f'<meta http-equiv="Content-Security-Policy" content="{POLICY}">\n'
        f"<title>{escaped(title)}</title>\n<style>{STYLE}</style>\n</head>\n"
        f"<body>\n<main>\n{body}\n</main>\n</body>\n</html>\n"
    )


def section(heading: str, *contents: str) -> str:
    """A part of a page under its heading."""
    inner = "\n".join(contents)
    return f"<section>\n<h2>{escaped(heading)}</h2>\n{inner}\n</section>"


def paragraph(text: str, *, kind: str | None = None) -> str:
    """A paragraph of plain text; `kind` names its style."""
    opening = "<p>" if kind is None else f'<p class="{kind}">'
    return f"{opening}{escaped(text)}</p>"
