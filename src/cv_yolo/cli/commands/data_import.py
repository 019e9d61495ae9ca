"""`cv-yolo data import` and `export`: data sets of other formats come in, and go out again."""

import json
import re
import shlex
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import click

from cv_yolo.domain.data.label_text import Outlines
from cv_yolo.domain.data.manifest import Split
from cv_yolo.errors import DatasetError

if TYPE_CHECKING:
    from cv_yolo.container import Container
    from cv_yolo.workflows.import_dataset import ImportedDataset, ImportRequest

FORMATS: Final = ("coco", "voc", "yolo", "cvat", "labelstudio")
EXPORTS: Final = ("coco", "voc", "yolo")
AUTO: Final = "auto"
COCO: Final = "coco"
NAME: Final = re.compile(r"\w[\w.-]*")
MOST_CLASSES: Final = 40  # rows of the table; `--json` has all
IMPORT_EPILOGUE: Final = """
\b
Examples:
  cv-yolo data import ~/Downloads/cats.v3.yolov11.zip --name cats     Roboflow, CVAT, … as they come
  cv-yolo data import annotations_and_images/ --name street --split 0.7/0.15/0.15
  cv-yolo data import voc/ --name voc --group-by '^(.*)_frame'        frames of a film stay together
  cv-yolo data import photos/ --name photos --group-by similarity     pictures that look the same stay together
  cv-yolo data import labels.zip --name parts --polygons envelope --classes screw,nut
  cv-yolo data import coco128/ --name coco128 --class-names coco      labels without a data.yaml

\b
A group is: the value of a column; what a regular expression finds in an image's path (its groups in
parentheses, else all of the match); or pictures that look the same. Equal files are always one group.
Without --split the source's own splits are kept; a source with one split or none is divided 0.8/0.1/0.1.
An image never changes sides when others are added: its side follows from the seed and its group alone.
"""
EXPORT_EPILOGUE: Final = """
\b
Examples:
  cv-yolo data export cats --format coco --out cats-coco
  cv-yolo data export cats --format voc --out cats-voc
"""


@click.command("import", epilog=IMPORT_EPILOGUE)
@click.argument("source")
@click.option("--name", required=True, help="Name of the data set: it is written to data/NAME.")
@click.option(
    "--format", type=click.Choice((AUTO, *FORMATS)), default=AUTO, show_default=True, help="Format of the annotations."
)
@click.option("--split", metavar="T/V/T", help="Divide all images again, for example 0.8/0.1/0.1.")
@click.option("--group-by", metavar="COLUMN|PATTERN|similarity", help="Images of one group stay in one split.")
@click.option("--seed", type=click.IntRange(min=0), help="Seed of the division. [default: one that balances classes]")
@click.option(
    "--polygons",
    type=click.Choice([each.value for each in Outlines]),
    default=Outlines.REFUSE.value,
    show_default=True,
    help="YOLO's polygons and rotated boxes: refuse them, or take the upright boxes around them.",
)
@click.option("--classes", metavar="NAMES", help="Keep only these classes, separated by commas.")
@click.option("--class-names", metavar="NAMES|FILE|coco", help="Names of YOLO's classes, where the source has none.")
@click.option("--add-classes", is_flag=True, help="Append classes that an earlier import of NAME did not have.")
@click.option("--follow-links", is_flag=True, help="Follow links that lead out of a source folder.")
@click.option("--json", "as_json", is_flag=True, help="Print the summary, or all refusals, as JSON.")
def import_data(
    source: str,
    name: str,
    format: str,
    split: str | None,
    group_by: str | None,
    seed: int | None,
    polygons: str,
    classes: str | None,
    class_names: str | None,
    add_classes: bool,
    follow_links: bool,
    as_json: bool,
) -> None:
    """Import images and annotations from SOURCE: a folder, a .zip or an https address.

    COCO JSON, Pascal VOC, YOLO in all its layouts, CVAT and Label Studio are read. What cannot be used is refused with
    all reasons at once (exit code 2), and the data that were there stay. Images are copied byte by byte. Classes are
    pinned by name: a second import of the same NAME keeps the order of the first.
    """
    from cv_yolo.container import Container
    from cv_yolo.domain.data.findings import FindingKind, Severity
    from cv_yolo.domain.data.splitting import Fractions
    from cv_yolo.workflows.divide_images import SIMILARITY, USUAL, Division
    from cv_yolo.workflows.import_dataset import ImportRequest

    division = Division(fractions=None if split is None else Fractions.parse(split), group_by=group_by, seed=seed)
    container = Container()
    root, policy = _root(container, name), container.datasets.policy()
    names, only = _class_names(class_names), _listed(classes)
    report = partial(click.echo, err=True)
    with (
        _refusals_as_json(as_json),
        container.imports.opened(source, follow_links=follow_links, report=report) as folder,
    ):
        request = ImportRequest(
            source=folder, shown=_shown(source), root=root, division=division, only=only, add_classes=add_classes
        )
        wanted = None if format == AUTO else format
        found, imported = _imported(container, request, wanted, names, Outlines(polygons), as_json)
    refused = imported.divides_similar and policy.severity(FindingKind.SIMILAR_IMAGES) is Severity.ERROR
    again = _again(source, split=split or str(USUAL), group_by=SIMILARITY)
    following = again if refused else f"cv-yolo grid --data data/{name}"
    if as_json:
        click.echo(json.dumps(_as_json(imported, found, name) | {"next": following}, indent=1))
        return
    _print(imported, found, name, _shown(source))
    if refused:
        click.echo("  training refuses such pairs, unless the data policy excepts them; to keep each in one split:")
    click.echo(f"next: {following}")


@click.command("export", epilog=EXPORT_EPILOGUE)
@click.argument("name")
@click.option("--format", type=click.Choice(EXPORTS), required=True, help="Format of the annotations.")
@click.option("--out", type=click.Path(path_type=Path), required=True, help="New folder to write to.")
def export_data(name: str, format: str, out: Path) -> None:
    """Export data/NAME with copies of its images; crowds, areas and outlines are kept where the format has them."""
    from cv_yolo.cli.output.stages import stages
    from cv_yolo.container import Container
    from cv_yolo.disk import filling
    from cv_yolo.workflows.export_dataset import export_dataset

    container = Container()
    with filling(out, home=container.home), stages() as on_step:
        dataset = export_dataset(
            _root(container, name),
            out,
            format=format,
            folder=container.imports.folder,
            export=container.imports.export,
            on_image=lambda done, total: on_step("Writing", done, total),
        )
    objects = sum(len(image.objects) for image in dataset.images)
    click.echo(f"{out}: {len(dataset.images)} images, {objects} objects, {len(dataset.classes)} classes as {format}")


def _imported(
    container: "Container",
    request: "ImportRequest",
    format: str | None,
    class_names: tuple[str, ...],
    outlines: Outlines,
    quiet: bool,
) -> "tuple[str, ImportedDataset]":
    from cv_yolo.cli.output.stages import stages
    from cv_yolo.disk import filling
    from cv_yolo.workflows.import_dataset import import_dataset, named_as_shown

    with named_as_shown(request):
        found, read = container.imports.reader(request.source, format, class_names=class_names, outlines=outlines)
    with filling(request.root, home=container.home), stages(quiet=quiet) as on_step:
        return found, import_dataset(request, read=read, folder=container.imports.folder, on_progress=on_step)


@contextmanager
def _refusals_as_json(wanted: bool) -> Iterator[None]:
    """Print every refusal as JSON: the message of an error names the first ones only."""
    try:
        yield
    except DatasetError as error:
        if wanted:
            single = getattr(error, "refusals", (error,))
            click.echo(
                json.dumps({"refused": [{"message": each.message, "hint": each.hint} for each in single]}, indent=1)
            )
        raise


def _root(container: "Container", name: str) -> Path:
    if not NAME.fullmatch(name):
        raise click.BadParameter(f"{name!r}: expected a name of a folder below data, such as cats_v2")
    return container.settings.root / "data" / name


def _shown(source: str) -> str:
    """The source in messages: an address without its query, which may be a key."""
    return source.partition("?")[0] if "://" in source else source.rstrip("/") or source


def _again(source: str, **changed: str) -> str:
    """This command once more with the options that were given, and others; without the query of an address."""
    context = click.get_current_context()
    shown = _shown(source)
    words = ["cv-yolo", "data", "import", shown if "?" not in source or "://" not in source else f"{shown}?…"]
    for option in context.command.params:
        value = changed.get(option.name or "", context.params[option.name or ""])
        if not isinstance(option, click.Option) or value in (None, False, option.default) or option.name == "as_json":
            continue
        words += option.opts[:1] if option.is_flag else [option.opts[0], str(value)]
    return shlex.join(words)


def _listed(text: str | None) -> tuple[str, ...]:
    return () if text is None else tuple(name.strip() for name in text.split(",") if name.strip())


def _class_names(text: str | None) -> tuple[str, ...]:
    from cv_yolo.domain.data.categories import COCO_CLASSES

    if text == COCO:
        return COCO_CLASSES
    if text is None or not Path(text).is_file():
        return _listed(text)
    try:
        lines = Path(text).read_text(encoding="utf-8-sig").splitlines()
    except (OSError, UnicodeDecodeError) as error:
        raise click.BadParameter(f"--class-names {text}: cannot be read: {error}") from error
    return tuple(line.strip() for line in lines if line.strip())


def _as_json(imported: "ImportedDataset", format: str, name: str) -> dict[str, Any]:
    manifest = imported.manifest
    return {
        "name": name,
        "format": format,
        "classes": list(manifest.classes),
        "images": manifest.counts(),
        "boxes": manifest.box_counts(),
        "boxes_by_class": imported.boxes,
        "origin": imported.origin,
        "revision": manifest.revision,
        "findings": [asdict(finding) | {"sentence": finding.sentence} for finding in imported.findings],
    }


def _print(imported: "ImportedDataset", format: str, name: str, source: str) -> None:
    from rich.markup import escape
    from rich.table import Table

    from cv_yolo.cli.output.tables import console

    manifest, out = imported.manifest, console()
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("class", overflow="fold")
    for column in (*Split, "all"):
        table.add_column(str(column), justify="right")
    ordered = sorted(imported.boxes, key=lambda each: -sum(imported.boxes[each].values()))
    for each in ordered[:MOST_CLASSES]:
        found = imported.boxes[each]
        table.add_row(escape(each), *(str(found.get(split, 0)) for split in Split), str(sum(found.values())))
    if len(ordered) > MOST_CLASSES:
        table.add_row(f"… and {len(ordered) - MOST_CLASSES} more classes (--json has them)", *[""] * 4)
    for title, counts in (("boxes", manifest.box_counts()), ("images", manifest.counts())):
        table.add_row(title, *(str(counts[split]) for split in Split), str(sum(counts.values())), style="bold")
    click.echo(f"data/{name}: imported from {source} ({format})")
    out.print(table)
    for finding in imported.findings:
        click.echo(f"  note: {finding.sentence}")
    if "seed" in imported.origin:
        click.echo(f"  divided {imported.origin['split']} with the seed {imported.origin['seed']}")
    click.echo(f"  revision {manifest.revision[:16]}")
