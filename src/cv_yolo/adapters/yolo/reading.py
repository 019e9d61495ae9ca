"""The images of a data set and their labels, each file read once, by as many threads as there are processors."""

import hashlib
import os
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from itertools import chain
from pathlib import Path
from typing import Final, TypeVar

import numpy as np

from cv_yolo.adapters.yolo.image_files import ReadPicture, read_picture
from cv_yolo.adapters.yolo.labels import NO_LABEL, label_bytes, read_label
from cv_yolo.adapters.yolo.layout import Located, Survey
from cv_yolo.adapters.yolo.scan_cache import (
    FileState,
    KnownImages,
    ReadImage,
    is_settled,
    read_cache,
    state_of,
    write_cache,
)
from cv_yolo.domain.data.findings import FindingKind
from cv_yolo.domain.data.gate import ImageDetails
from cv_yolo.domain.data.likeness import Grey, window_hashes
from cv_yolo.domain.data.manifest import ImageRecord
from cv_yolo.domain.data.similar_search import Views, similar_pairs
from cv_yolo.errors import DatasetError

BATCH: Final = 256
CHUNK: Final = 8  # images that a thread reads before it asks for more
COLUMNS: Final = 6  # of `ImageDetails.boxes`
NO_HASHES: Final = np.empty((0, 20, 2), dtype=np.uint64)
NO_CELLS: Final = np.empty((0, 32, 32), dtype=np.uint8)

OnImage = Callable[[int, int], None]
States = tuple[FileState, FileState]
Item = TypeVar("Item")
Reading = TypeVar("Reading")


@dataclass(frozen=True, slots=True, kw_only=True)
class ReadImages:
    """All images that can be used, what they show, and the MD5 of all files that were read, by path."""

    records: list[ImageRecord]
    details: ImageDetails
    md5: dict[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class _ImageReader:
    """Reads images of a data set with their labels; what is refused is handed back."""

    root: Path
    classes: int
    most_px: int
    known: Mapping[str, ReadImage]

    def look_up(self, each: Located) -> ReadImage | States:
        """The image from the cache if neither file changed, else the states of the files."""
        states = (state_of(f"{self.root}/{each.image}"), state_of(f"{self.root}/{each.label}"))
        cached = self.known.get(each.image)
        return cached if cached is not None and cached.states == states else states

    def read(self, asked: Sequence[tuple[Located, States]]) -> list[ReadImage | DatasetError]:
        """Some images from their files, of which the states were looked at before."""
        return [self._read(each, states) for each, states in asked]

    def _read(self, each: Located, states: States) -> ReadImage | DatasetError:
        path = self.root / each.label
        try:
            picture, data = read_picture(self.root / each.image, most_px=self.most_px), label_bytes(path)
            size_px = (picture.width_px, picture.height_px)
            label = read_label(path, data, class_count=self.classes, size_px=size_px)
        except DatasetError as error:
            return error
        rows = [(box.class_id, *box.xywhn, line) for box, line in zip(label.boxes, label.lines, strict=True)]
        return ReadImage(
            states=states,
            picture=picture,
            hashes=NO_HASHES,
            label_sha256=NO_LABEL if data is None else hashlib.sha256(data).hexdigest(),
            label_md5=NO_LABEL if data is None else hashlib.md5(data, usedforsecurity=False).hexdigest(),
            rows=np.array(rows, dtype=np.float32).reshape(-1, COLUMNS),
            clipped=label.clipped,
            too_small=label.too_small,
            repeated=label.repeated,
        )


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
    reader = _ImageReader(root=root, classes=classes, most_px=most_px, known=known.images)
    for each, found in _read_all(located, reader, on_image):
        if isinstance(found, DatasetError):
            survey.refuse(found)
            continue
        read[each.image] = found
        records.append(_record(each, found))
        _note(each, found, survey)
    similar = _similar(read, known)
    if cache is not None and any(known.images.get(name) is not found for name, found in read.items()):
        kept = {name: found for name, found in read.items() if is_settled(found.states, started_ns)}
        pairs = tuple(pair for pair in similar if kept.keys() >= set(pair))
        write_cache(cache, KnownImages(images=kept, pairs=pairs), classes, most_px)
    md5 = {each.image: read[each.image].picture.md5 for each in located if each.image in read}
    md5 |= {each.label: read[each.image].label_md5 for each in located if each.image in read}
    return ReadImages(records=records, details=_details(read, similar), md5=md5)


def _read_all(
    located: Sequence[Located], reader: _ImageReader, on_image: OnImage
) -> Iterator[tuple[Located, ReadImage | DatasetError]]:
    """Each image in order; the hashes of a batch are computed while the next one is being read."""
    done = 0
    for batch, asked in read_ahead(located, partial(_ask, reader)):
        yield from zip(batch, _hashed(asked.results()), strict=True)
        done += len(batch)
        on_image(done, len(located))


def read_ahead(
    items: Sequence[Item], ask: Callable[[ThreadPoolExecutor, Sequence[Item]], Reading]
) -> Iterator[tuple[Sequence[Item], Reading]]:
    """Batches of items with what was asked of as many threads as there are processors, one batch ahead."""
    batches = [items[start : start + BATCH] for start in range(0, len(items), BATCH)]
    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        ahead = deque(ask(pool, batch) for batch in batches[:1])
        for number, batch in enumerate(batches, start=1):
            ahead.extend(ask(pool, following) for following in batches[number : number + 1])
            yield batch, ahead.popleft()


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class _Asked:
    """What is known of the images of a batch, and what is being read of the others, in their order."""

    looked_up: Sequence[ReadImage | States]
    being_read: Iterator[list[ReadImage | DatasetError]]

    def results(self) -> list[ReadImage | DatasetError]:
        """All images of the batch, as soon as they are read."""
        read = chain.from_iterable(self.being_read)
        return [each if isinstance(each, ReadImage) else next(read) for each in self.looked_up]


def _ask(reader: _ImageReader, pool: ThreadPoolExecutor, batch: Sequence[Located]) -> _Asked:
    looked_up = [reader.look_up(each) for each in batch]
    unknown = [(each, found) for each, found in zip(batch, looked_up, strict=True) if not isinstance(found, ReadImage)]
    chunks = [unknown[start : start + CHUNK] for start in range(0, len(unknown), CHUNK)]
    return _Asked(looked_up=looked_up, being_read=pool.map(reader.read, chunks))


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


def _record(located: Located, found: ReadImage) -> ImageRecord:
    return ImageRecord(
        split=located.split,
        image=located.image,
        image_sha256=found.picture.sha256,
        label=located.label,
        label_sha256=found.label_sha256,
        boxes=len(found.rows),
        width_px=found.picture.width_px,
        height_px=found.picture.height_px,
    )


def _note(located: Located, found: ReadImage, survey: Survey) -> None:
    """Findings about one image and its label."""
    for kind, lines in (
        (FindingKind.CLIPPED_BOXES, found.clipped),
        (FindingKind.SMALL_BOXES, found.too_small),
        (FindingKind.REPEATED_BOXES, found.repeated),
    ):
        for line in lines:
            survey.findings.add(kind, f"{located.label}:{line}")
    for kind, holds in (
        (FindingKind.SEVERAL_PICTURES, found.picture.frames > 1),
        (FindingKind.DEEP_IMAGES, found.picture.is_deep),
        (FindingKind.NOT_DECODED, not found.picture.decoded_as_in_training),
    ):
        if holds:
            survey.findings.add(kind, located.image)
