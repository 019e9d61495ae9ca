"""The images behind the figures: what a model makes of them, worst first, with filters that need no script."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from cv_yolo.domain.evaluation.annotated_images import AnnotatedImage
from cv_yolo.domain.evaluation.comparison import Comparison, ImageChange
from cv_yolo.domain.evaluation.error_types import ErrorType
from cv_yolo.ports.datasets import Thumbnail
from cv_yolo.reports.charts.forest_plot import swatch
from cv_yolo.reports.markup import Html
from cv_yolo.reports.pages.image import LEGEND, ImageView, error_list, errors_of, legend, summary
from cv_yolo.reports.pages.page import BLOCKS, NOTHING
from cv_yolo.reports.templates import render, render_macro
from cv_yolo.reports.text.formatting import count_text
from cv_yolo.reports.view_models import MOST_IMAGES

MOST_CHOICES: Final = 12  # more classes are folded away


@dataclass(frozen=True, slots=True, kw_only=True)
class GalleryImage:
    """One image with what each model makes of it, and the sentence that says why it is shown."""

    image: str
    sentence: str
    annotated: tuple[AnnotatedImage, ...]

    @property
    def errors(self) -> frozenset[tuple[int, str]]:
        """Which class has which type of error in it, by either model."""
        return frozenset(
            (class_id, error.kind)
            for each in self.annotated
            for error in errors_of(each)
            for class_id in error.class_ids
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class ImageList:
    """Some images under one heading; `total` counts also those that are not shown."""

    heading: str
    cases: tuple[GalleryImage, ...]
    total: int
    none: str
    order: str = "worst first"


@dataclass(frozen=True, slots=True, kw_only=True)
class Gallery:
    """Lists of images with the names of the models and of the classes, and the small copies of the images."""

    names: tuple[str, ...]
    classes: tuple[str, ...]
    lists: tuple[ImageList, ...]
    thumbnails: Mapping[str, Thumbnail]

    @property
    def errors(self) -> frozenset[tuple[int, str]]:
        """Which class has which type of error in any of the images."""
        return frozenset().union(*(case.errors for each in self.lists for case in each.cases))


def changed_images(names: tuple[str, str], comparison: Comparison, thumbnails: Mapping[str, Thumbnail]) -> Gallery:
    """The regressions and the improvements of the second model."""
    second = names[1]
    return Gallery(
        names=names,
        classes=comparison.first.subject.classes,
        lists=(
            _changes(f"Regressions of {second}", comparison.broken, "No image got worse."),
            replace(
                _changes(f"Improvements of {second}", comparison.fixed, "No image got better."),
                order="most improved first",
            ),
        ),
        thumbnails=thumbnails,
    )


def worst_images(
    name: str, classes: tuple[str, ...], annotated: Sequence[AnnotatedImage], thumbnails: Mapping[str, Thumbnail]
) -> Gallery:
    """The images in which a model makes the most errors; `annotated` come worst first."""
    wrong = [each for each in annotated if each.errors]
    cases = tuple(
        GalleryImage(image=each.image, sentence=count_text(each.errors, "error"), annotated=(each,))
        for each in wrong[:MOST_IMAGES]
    )
    worst = ImageList(
        heading="Images with errors",
        cases=cases,
        total=len(wrong),
        none=f"{name} makes no error at its confidence threshold.",
    )
    return Gallery(names=(name,), classes=classes, lists=(worst,), thumbnails=thumbnails)


def gallery_html(gallery: Gallery) -> Html:
    """The filters, the legend and the lists."""
    if not gallery.errors:
        return render_macro(BLOCKS, "paragraphs", [each.none for each in gallery.lists])
    classes = sorted({class_id for class_id, _ in gallery.errors})
    return render(
        "gallery.html.j2",
        classes=[(str(each), gallery.classes[each]) for each in classes],
        fold_classes=len(classes) > MOST_CHOICES,
        errors=[(kind, kind) for kind in ErrorType if any(kind == found for _, found in gallery.errors)],
        legend=legend(_kinds(gallery)),
        lists=[_list(each, gallery, place) for place, each in enumerate(gallery.lists)],
    )


def gallery_style(gallery: Gallery) -> Html:
    """The rules by which the filters hide what was not asked for."""
    class_ids = sorted({class_id for class_id, _ in gallery.errors})
    return render("gallery.css.j2", class_ids=class_ids, kinds=tuple(ErrorType)) if class_ids else NOTHING


def _changes(heading: str, changes: Sequence[ImageChange], none: str) -> ImageList:
    cases = tuple(
        GalleryImage(image=change.image, sentence=_change_sentence(change), annotated=(change.first, change.second))
        for change in changes[:MOST_IMAGES]
    )
    return ImageList(heading=heading, cases=cases, total=len(changes), none=none)


def _change_sentence(change: ImageChange) -> str:
    return f"{change.broken} broken, {change.fixed} fixed"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Panel:
    """What one model makes of an image, as it is shown; there is no picture where its copy is missing."""

    name: str
    swatch: Html
    summary: str
    picture: Html | None
    words: Html


def _list(each: ImageList, gallery: Gallery, place: int) -> dict[str, object]:
    shown = len(each.cases)
    return {
        "heading": each.heading,
        "none": each.none,
        "count": f"{shown} of {each.total} images" if shown < each.total else count_text(shown, "image"),
        "order": each.order,
        "shown": count_text(shown, "image"),
        "cases": [_case(case, gallery, f"{place}-{number}") for number, case in enumerate(each.cases)],
    }


def _case(case: GalleryImage, gallery: Gallery, place: str) -> dict[str, object]:
    tags = sorted(
        {f"k{class_id}" for class_id, _ in case.errors}
        | {f"e-{kind}" for _, kind in case.errors}
        | {f"k{class_id}-{kind}" for class_id, kind in case.errors}
    )
    case_id, thumbnail = f"case-{place}", gallery.thumbnails.get(case.image)
    picture = None if thumbnail is None else ImageView(thumbnail=thumbnail, id=f"p{place}")
    panels = [_panel(annotated, gallery, picture, model) for model, annotated in enumerate(case.annotated)]
    return {"id": case_id, "tags": tags, "image": case.image, "sentence": case.sentence, "panels": panels}


def _panel(annotated: AnnotatedImage, gallery: Gallery, picture: ImageView | None, place: int) -> _Panel:
    name = gallery.names[place]
    drawn = None
    if picture is not None:
        image = picture.again() if place else picture.embedded()
        drawn = picture.drawn(
            annotated, image=image, words=f"{annotated.image} as {name} sees it: {summary(annotated)}"
        )
    return _Panel(
        name=name,
        swatch=swatch("first" if place == 0 and len(gallery.names) > 1 else "second"),
        summary=summary(annotated),
        picture=drawn,
        words=error_list(annotated, gallery.classes),
    )


def _kinds(gallery: Gallery) -> tuple[str, ...]:
    """The ways in which boxes are drawn: crowds only where there are any."""
    annotated = (each for shown in gallery.lists for case in shown.cases for each in case.annotated)
    crowds = any(truth.crowd for each in annotated for truth in each.truths)
    return tuple(kind for kind in LEGEND if kind != "crowd" or crowds)
