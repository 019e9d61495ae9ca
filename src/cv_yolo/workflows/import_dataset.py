"""Bring in images and annotations of any format as a data set that can be trained and evaluated on, or refuse them.

In order: read the annotations, decode every picture, pin the classes by name, divide the images into splits, write.
Everything that is refused on the way is collected, and raised as one error before anything is written.
"""

import difflib
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cv_yolo.domain.data.annotated import AnnotatedDataset, AnnotatedObject, ImageAnnotations
from cv_yolo.domain.data.class_names import listed
from cv_yolo.domain.data.counting import count_objects
from cv_yolo.domain.data.findings import DatasetFinding, FindingKind, Findings
from cv_yolo.domain.data.label_text import conflict
from cv_yolo.domain.data.manifest import DatasetManifest
from cv_yolo.domain.data.refusals import Refusals, gathered
from cv_yolo.errors import DatasetError, InputError
from cv_yolo.ports.datasets import AnnotationReader, CheckedPicture, FormerImport, ImportFolder
from cv_yolo.workflows.divide_images import Division, divide, similar_images

OnProgress = Callable[[str, int, int], None]
READ: Final = "Reading annotations"
CHECK: Final = "Checking images"
WRITE: Final = "Writing"


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportRequest:
    """What is imported where: `source` is the local folder, called `shown` in messages; the data set lies in `root`.

    `only` are the classes that are kept, in their order; empty keeps all. `add_classes` allows names that an earlier
    import of the same data set did not have.
    """

    source: Path
    shown: str
    root: Path
    division: Division
    only: tuple[str, ...] = ()
    add_classes: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class ImportedDataset:
    """The data set as it was written, what was odd about its source, and its boxes by class and split."""

    manifest: DatasetManifest
    findings: tuple[DatasetFinding, ...]
    boxes: Mapping[str, Mapping[str, int]]
    origin: Mapping[str, str]

    @property
    def divides_similar(self) -> bool:
        """Whether pictures that look the same are in two splits."""
        return any(finding.kind is FindingKind.SIMILAR_IMAGES for finding in self.findings)


def import_dataset(
    request: ImportRequest,
    *,
    read: AnnotationReader,
    folder: ImportFolder,
    on_progress: OnProgress = lambda stage, done, total: None,
) -> ImportedDataset:
    """Import a data set; raises one `DatasetError` with all that is wrong, and leaves the former data then."""
    former = folder.former(request.root)
    refusals = Refusals()
    with named_as_shown(request):
        on_progress(READ, 0, 1)
        dataset = _read(request, read, folder)
        pictures = _check_pictures(request, dataset, folder, refusals, on_progress)
        refusals.conclude()
        findings = _Noted(dataset.findings)
        dataset = _with_classes(dataset, request, former, findings)
        _require_usable_objects(dataset, pictures, refusals)
        refusals.conclude()
        division = divide(dataset, pictures, request.division, former, findings)
        boxes = boxes_by_class(division.dataset)
        _require_boxes(division.dataset, boxes)
        _note_counting(division.dataset, pictures, boxes, findings)
        manifest = folder.write(
            request.root,
            division.dataset,
            images_root=request.source,
            pictures=pictures,
            origin={"source": request.shown, **division.origin},
            on_image=lambda done: on_progress(WRITE, done, len(dataset.images)),
        )
    return ImportedDataset(
        manifest=manifest,
        findings=findings.all(),
        boxes=boxes,
        origin=division.origin,
    )


@contextmanager
def named_as_shown(request: ImportRequest) -> Iterator[None]:
    """Name the source in refusals as a person did: it may be unpacked in a folder that is gone by then."""
    try:
        yield
    except DatasetError as error:
        for each in (error, *getattr(error, "refusals", ())):
            each.message = each.message.replace(str(request.source), request.shown)
            each.args = (each.message,)
        raise


def boxes_by_class(dataset: AnnotatedDataset) -> dict[str, dict[str, int]]:
    """How many boxes that count each class has in each split."""
    counts: dict[str, Counter[str]] = {name: Counter() for name in dataset.classes}
    for image in dataset.images:
        for box in count_objects(image, dataset.classes).label.boxes:
            counts[dataset.classes[box.class_id]][str(image.split)] += 1
    return {name: dict(found) for name, found in counts.items()}


class _Noted(Findings):
    """Findings of the reader, and those that are added."""

    def __init__(self, earlier: Iterable[DatasetFinding]) -> None:
        super().__init__()
        self._earlier = tuple(earlier)

    def all(self) -> tuple[DatasetFinding, ...]:
        """All of them, in the order of their kinds."""
        order = list(FindingKind)
        return tuple(sorted((*self._earlier, *super().all()), key=lambda each: order.index(each.kind)))


def _read(request: ImportRequest, read: AnnotationReader, folder: ImportFolder) -> AnnotatedDataset:
    """The annotations; where they are refused, the pictures are still checked, so that all faults are found at once."""
    try:
        dataset = read(request.source)
        columns = folder.columns(request.source, {image.path for image in dataset.images})
    except DatasetError as error:
        raise gathered([error, *_refused_pictures(request, folder)]) from error
    images = (
        replace(image, attributes={**image.attributes, **columns.get(image.path, {})}) for image in dataset.images
    )
    return replace(dataset, images=tuple(images))


def _refused_pictures(request: ImportRequest, folder: ImportFolder) -> Iterator[DatasetError]:
    for found in folder.check_pictures(folder.pictures(request.source)):
        if isinstance(found, DatasetError):
            yield found


def _check_pictures(
    request: ImportRequest,
    dataset: AnnotatedDataset,
    folder: ImportFolder,
    refusals: Refusals,
    on_progress: OnProgress,
) -> dict[str, CheckedPicture]:
    pictures = {}
    checked = folder.check_pictures([request.source / image.path for image in dataset.images])
    for done, (image, picture) in enumerate(zip(dataset.images, checked, strict=True), start=1):
        with refusals.going_on():
            if isinstance(picture, DatasetError):
                raise picture
            if (picture.width_px, picture.height_px) != (image.width_px, image.height_px):
                raise DatasetError(
                    f"{request.source / image.path}: {picture.width_px} x {picture.height_px} px, annotated as "
                    f"{image.width_px} x {image.height_px}",
                    hint="use the images that were annotated",
                )
            pictures[image.path] = picture
        on_progress(CHECK, done, len(dataset.images))
    return pictures


def _with_classes(
    dataset: AnnotatedDataset, request: ImportRequest, former: FormerImport | None, findings: Findings
) -> AnnotatedDataset:
    """The classes that are kept, in the order of an earlier import where there is one; objects keep their names."""
    unknown = [name for name in request.only if name not in dataset.classes]
    if unknown:
        near = difflib.get_close_matches(unknown[0], dataset.classes, n=1)
        meant = f": did you mean {near[0]!r}?" if near else ""
        raise InputError(
            f"--classes: the source has no class {unknown[0]!r}{meant}", hint=f"it has {', '.join(dataset.classes)}"
        )
    kept = request.only or dataset.classes
    classes = kept if former is None else former.classes
    new = [name for name in kept if name not in classes]
    if new and not request.add_classes:
        raise DatasetError(
            f"{request.root}: classes that an earlier import did not have: {listed(new)}",
            hint="--add-classes appends them; --classes takes some only; another --name makes another data set",
        )
    images = []
    others = listed([name for name in dataset.classes if name not in kept])
    for image in dataset.images:
        for each in image.objects:
            if each.category not in kept:
                findings.add(FindingKind.OTHER_CLASSES, each.place or image.path, subject=others)
        images.append(replace(image, objects=tuple(each for each in image.objects if each.category in kept)))
    numbers = {name: number for name, number in dataset.category_ids.items() if name in kept}
    classes = (*classes, *new)
    return replace(
        dataset, classes=classes, images=tuple(images), category_ids=numbers if len(numbers) == len(classes) else {}
    )


def _require_usable_objects(
    dataset: AnnotatedDataset, pictures: Mapping[str, CheckedPicture], refusals: Refusals
) -> None:
    """Refuse boxes that lie outside of their image, and one box with two classes."""
    for image in dataset.images:
        for each in image.objects:
            if _is_outside(each, pictures[image.path]):
                refusals.refuse(
                    DatasetError(
                        f"{each.place or image.path}: a box outside of the image: "
                        f"{', '.join(f'{value:g}' for value in each.xywh)} "
                        f"({image.width_px} x {image.height_px} px)",
                        hint="use the images that were annotated, in their size then",
                    )
                )
        for earlier, number in count_objects(image, dataset.classes).label.conflicts:
            one, other = image.objects[earlier], image.objects[number]
            place, first = other.place or image.path, one.place or image.path
            refusals.refuse(conflict(place, first, other.category, one.category))


def _is_outside(each: AnnotatedObject, picture: CheckedPicture) -> bool:
    x, y, width, height = each.xywh
    return not (x < picture.width_px and y < picture.height_px and x + width > 0 and y + height > 0)


def _require_boxes(dataset: AnnotatedDataset, boxes: Mapping[str, Mapping[str, int]]) -> None:
    """Refuse a split in which nothing is annotated, and images whose classes are all left out."""
    for split in dict.fromkeys(image.split for image in dataset.images):
        if not any(found.get(str(split)) for found in boxes.values()):
            images = sum(image.split is split for image in dataset.images)
            raise DatasetError(
                f"no boxes in {split} ({images} images): training, choice and judgement each need some",
                hint="label objects in some of its images; or --split 0.8/0.1/0.1 divides all images again",
            )


def _note_counting(
    dataset: AnnotatedDataset,
    pictures: Mapping[str, CheckedPicture],
    boxes: Mapping[str, Mapping[str, int]],
    findings: Findings,
) -> None:
    """Findings about each image that will be written, and its objects."""
    seen: set[tuple[str | None, str]] = set()
    for image in dataset.images:
        picture = pictures[image.path]
        for kind in picture.findings:
            findings.add(kind, image.path)
        if (image.split, picture.sha256) in seen:
            findings.add(FindingKind.REPEATED_IMAGES, image.path)
        seen.add((image.split, picture.sha256))
        _note_objects(image, dataset.classes, findings)
    for one, other in similar_images(dataset.images, pictures):
        if dataset.images[one].split is not dataset.images[other].split:
            findings.add(FindingKind.SIMILAR_IMAGES, f"{dataset.images[one].path} and {dataset.images[other].path}")
    for split in dict.fromkeys(image.split for image in dataset.images):
        for name in dataset.classes:
            if not boxes[name].get(str(split)) and boxes[name]:
                findings.add(FindingKind.ABSENT_CLASSES, name, subject=str(split))


def _note_objects(image: ImageAnnotations, classes: Sequence[str], findings: Findings) -> None:
    counted = count_objects(image, classes)
    for kind, numbers in (
        (FindingKind.CLIPPED_BOXES, counted.label.clipped),
        (FindingKind.SMALL_BOXES, counted.label.too_small),
        (FindingKind.REPEATED_BOXES, counted.label.repeated),
        (FindingKind.CROWDS, counted.crowds),
    ):
        for number in numbers:
            findings.add(kind, image.objects[number].place or image.path)
