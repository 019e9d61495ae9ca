"""The images of a data set and their labels, each file read once, by as many threads as there are processors."""

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from cv_yolo.adapters.yolo.image_files import ReadPicture, read_picture
from cv_yolo.adapters.yolo.labels import NO_LABEL, label_bytes, read_label
from cv_yolo.adapters.yolo.layout import Located, Survey
from cv_yolo.adapters.yolo.scan_cache import KnownImages, ReadImage, is_settled, read_cache, state_of, write_cache
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.gate import ImageDetails
from cv_yolo.domain.data.likeness import Grey, window_hashes
from cv_yolo.domain.data.manifest import ImageRecord
from cv_yolo.domain.data.similar_search import Views, similar_pairs
from cv_yolo.errors import DatasetError

BATCH: Final = 256
COLUMNS: Final = 6  # of `ImageDetails.boxes`
NO_HASHES: Final = np.empty((0, 20, 2), dtype=np.uint64)
NO_CELLS: Final = np.empty((0, 32, 32), dtype=np.uint8)

OnImage = Callable[[int, int], None]
Item = TypeVar("Item")
Result = TypeVar("Result")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImages:
    """All images that can be used, and what they show."""

    records: list[ImageRecord]
    details: ImageDetails


def read_images(
    root: Path,
    located: Sequence[Located],
    classes: int,
    survey: Survey,
    *,
    cache: Path | None,
    on_image: OnImage,
    most_px: int,
) -> ReadImages:
    """Read all images with their labels; what cannot be used is refused, what is odd is noted."""
    started_ns, known = time.time_ns(), read_cache(cache, classes, most_px)
    read: dict[str, ReadImage] = {}
    records = []
    for each, found in _read_all(located, partial(_read, root, classes, known, most_px), on_image):
        with survey.going_on():
            if isinstance(found, DatasetError):
                raise found
            record = _record(root, each, found)
            read[record.image] = found
            records.append(record)
            _note(record, found, survey)
    similar = _similar(read, known)
    if cache is not None and any(known.images.get(name) is not found for name, found in read.items()):
        kept = {name: found for name, found in read.items() if is_settled(found.states, started_ns)}
        pairs = tuple(pair for pair in similar if kept.keys() >= set(pair))
        write_cache(cache, KnownImages(images=kept, pairs=pairs), classes, most_px)
    return ReadImages(records=records, details=_details(read, similar))


def _read_all(
    located: Sequence[Located], read: Callable[[Located], ReadImage | DatasetError], on_image: OnImage
) -> Iterator[tuple[Located, ReadImage | DatasetError]]:
    """Each image in order; the hashes of a batch are computed while the next one is being read."""
    results, done = read_ahead(located, read), 0
    while done < len(located):
        batch = located[done : done + BATCH]
        yield from zip(batch, _hashed(list(islice(results, len(batch)))), strict=True)
        done += len(batch)
        on_image(done, len(located))


def read_ahead(items: Sequence[Item], read: Callable[[Item], Result]) -> Iterator[Result]:
    """What is read of each item, in order, by as many threads as there are processors, a batch or two ahead."""
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        ahead = deque(pool.map(read, batch) for batch in batches[:1])
        for number in range(1, len(batches) + 1):
            ahead.extend(pool.map(read, batch) for batch in batches[number : number + 1])
            yield from ahead.popleft()


def _read(root: Path, classes: int, known: KnownImages, most_px: int, each: Located) -> ReadImage | DatasetError:
    """One image with its label, from the cache if neither changed; what is refused is handed back."""
    states = (state_of(each.image), state_of(each.label))
    cached = known.images.get(each.image.relative_to(root).as_posix())
    if cached is not None and cached.states == states:
        return cached
    try:
        picture, data = read_picture(each.image, most_px=most_px), label_bytes(each.label)
        size_px = (picture.width_px, picture.height_px)
        label = read_label(each.label, data, class_count=classes, size_px=size_px)
    except DatasetError as error:
        return error
    rows = [(box.class_id, *box.xywhn, line) for box, line in zip(label.boxes, label.lines, strict=True)]
    return ReadImage(
        states=states,
        picture=picture,
        hashes=NO_HASHES,
        label_sha256=NO_LABEL if data is None else hashlib.sha256(data).hexdigest(),
        rows=np.array(rows, dtype=np.float32).reshape(-1, COLUMNS),
        clipped=label.clipped,
        too_small=label.too_small,
        repeated=label.repeated,
    )


def _hashed(results: Sequence[ReadImage | DatasetError]) -> list[ReadImage | DatasetError]:
    """The images of a batch with their hashes, which are computed together."""
    new = [found for found in results if isinstance(found, ReadImage) and not len(found.hashes)]
    views = [_views(found.picture) for found in new]
    ends = np.cumsum([len(each) for each in views])
    hashes = np.split(window_hashes(np.concatenate([NO_CELLS, *views])), ends[:-1]) if new else []
    hashed = {id(found): replace(found, hashes=its) for found, its in zip(new, hashes, strict=True) if len(its)}
    return [hashed.get(id(found), found) for found in results]


def _views(picture: ReadPicture) -> Grey:
    return NO_CELLS if picture.likeness is None else picture.likeness.views


def _similar(read: dict[str, ReadImage], known: KnownImages) -> tuple[tuple[str, str], ...]:
    """The pairs that look the same: those that the cache knows, and those with an image that it does not know."""
    names = list(read)
    new = np.array([known.images.get(name) is not found for name, found in read.items()], dtype=np.bool_)
    unchanged = {name for name, is_new in zip(names, new, strict=True) if not is_new}
    old = [pair for pair in known.pairs if unchanged >= set(pair)]
    if not new.any():
        return tuple(sorted(old))
    cells = [_views(found.picture) for found in read.values()]
    views = Views(
        owners=np.repeat(np.arange(len(names)), [len(each) for each in cells]),
        cells=np.concatenate(cells),
        hashes=np.concatenate([NO_HASHES, *(found.hashes for found in read.values())]),
    )
    found_pairs = [(names[pair.first], names[pair.second]) for pair in similar_pairs(views, new=new)]
    return tuple(sorted({*old, *found_pairs}))


def _details(read: dict[str, ReadImage], similar: tuple[tuple[str, str], ...]) -> ImageDetails:
    likenesses = {name: found.picture.likeness for name, found in read.items()}
    return ImageDetails(
        boxes={name: found.rows for name, found in read.items()},
        brightness={name: each.brightness for name, each in likenesses.items() if each is not None},
        similar=similar,
    )


def _record(root: Path, located: Located, found: ReadImage) -> ImageRecord:
    return ImageRecord(
        split=located.split,
        image=located.image.relative_to(root).as_posix(),
        image_sha256=found.picture.sha256,
        label=located.label.relative_to(root).as_posix(),
        label_sha256=found.label_sha256,
        boxes=len(found.rows),
        width_px=found.picture.width_px,
        height_px=found.picture.height_px,
    )


def _note(record: ImageRecord, found: ReadImage, survey: Survey) -> None:
    """Findings about one image and its label."""
    for kind, lines in (
        (FindingKind.CLIPPED_BOXES, found.clipped),
        (FindingKind.SMALL_BOXES, found.too_small),
        (FindingKind.REPEATED_BOXES, found.repeated),
    ):
        for line in lines:
            survey.findings.add(kind, f"{record.label}:{line}")
    for kind, holds in (
        (FindingKind.SEVERAL_PICTURES, found.picture.frames > 1),
        (FindingKind.DEEP_IMAGES, found.picture.is_deep),
        (FindingKind.NOT_DECODED, not found.picture.decoded_as_in_training),
    ):
        if holds:
            survey.findings.add(kind, record.image)
