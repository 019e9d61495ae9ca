"""The port `DatasetContents` on disk: classes, hashes, sizes and boxes of a folder, without decoding its images.

An image is read once: its SHA-256 and size are kept by the MD5 under which DVC stores it, or by the state of its file
where that has settled, as the cache of `data check` does. Labels are small, and are read each time.
"""

import hashlib
import json
import os
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from cv_yolo.adapters.yolo.canonical import NAME as ANNOTATIONS
from cv_yolo.adapters.yolo.canonical import agreed_annotations, read_annotations
from cv_yolo.adapters.yolo.data_yaml import NAME, is_here, read_data_yaml
from cv_yolo.adapters.yolo.entries import bytes_of, is_absent
from cv_yolo.adapters.yolo.image_files import upright_size
from cv_yolo.adapters.yolo.labels import NO_LABEL, label_bytes, read_label
from cv_yolo.adapters.yolo.layout import Located, Survey, locate
from cv_yolo.adapters.yolo.scan_cache import SETTLED_NS, state_of
from cv_yolo.domain.data.annotated import ImageAnnotations
from cv_yolo.domain.data.annotations import GroundTruth
from cv_yolo.domain.data.counting import annotations_digest, truth_of, truth_of_boxes
from cv_yolo.domain.data.difference import DatasetContent
from cv_yolo.domain.data.manifest import ImageRecord
from cv_yolo.errors import DatasetError
from cv_yolo.files import write_bytes_whole

FORMAT: Final = 1
BATCH: Final = 64
FETCH: Final = "`dvc fetch --force` gets the file again, if a remote has it"

ImageFacts = tuple[str, int, int]  # SHA-256, width, height


class YoloContents:
    """Data sets on disk, in YOLO's layout; `facts` is the file where the facts about images are kept."""

    def __init__(self, facts: Path) -> None:
        self._facts = facts

    def exists(self, root: Path) -> bool:
        """Whether there is a data set at all."""
        return is_here(root)

    def read(
        self,
        root: Path,
        md5: Mapping[str, str] | None = None,
        on_image: Callable[[int, int], None] = lambda done, total: None,
    ) -> DatasetContent:
        """Read everything; whatever is refused is refused at once."""
        survey, stored = Survey(), _Stored(root, md5 or {})
        for name in (NAME, ANNOTATIONS):
            if not is_absent(root / name):
                stored.require_undamaged(name, bytes_of(root / name))
        description = read_data_yaml(root)
        annotated = read_annotations(root, description.classes)
        located = locate(root, description, survey)
        facts = _read_facts(self._facts)
        known = len(facts)
        try:
            images = list(_images(located, stored, facts, survey, on_image))
        finally:
            if len(facts) > known:
                _write_facts(self._facts, facts)
        reader = _Reader(stored=stored, classes=description.classes, annotated=annotated)
        found = []
        for each, its_facts in images:
            with survey.going_on():
                found.append(reader.image(each, its_facts))
        survey.conclude()
        return DatasetContent(
            classes=description.classes,
            images=tuple(sorted((record for record, _ in found), key=lambda record: record.image)),
            truths={truth.image: truth for _, truth in found},
        )


@dataclass(frozen=True, slots=True)
class _Stored:
    """The folder, and the MD5 of its files where a store keeps them."""

    root: Path
    md5: Mapping[str, str]

    def require_undamaged(self, path: str, data: bytes) -> None:
        """DVC before 3 hashed text with the line endings of Unix."""
        wanted = self.md5.get(path)
        if wanted is None:
            return
        texts = (data, data.replace(b"\r\n", b"\n"))
        if all(hashlib.md5(text, usedforsecurity=False).hexdigest() != wanted for text in texts):
            raise _damaged(path, wanted)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    stored: _Stored
    classes: tuple[str, ...]
    annotated: Mapping[str, ImageAnnotations] | None

    def image(self, each: Located, facts: ImageFacts) -> tuple[ImageRecord, GroundTruth]:
        """An image's record, and the boxes that count."""
        sha256, width_px, height_px = facts
        path = self.stored.root / each.label
        data = label_bytes(path)
        if data is not None:
            self.stored.require_undamaged(each.label, data)
        label = read_label(path, data, class_count=len(self.classes), size_px=(width_px, height_px))
        record = ImageRecord(
            split=each.split,
            image=each.image,
            image_sha256=sha256,
            label=each.label,
            label_sha256=NO_LABEL if data is None else hashlib.sha256(data).hexdigest(),
            boxes=len(label.boxes),
            width_px=width_px,
            height_px=height_px,
        )
        if self.annotated is None:
            return record, truth_of_boxes(each.image, label.boxes, width_px=width_px, height_px=height_px)
        annotations = agreed_annotations(self.stored.root, record, label, self.annotated, self.classes)
        digest = annotations_digest(annotations)
        return replace(record, annotations_sha256=digest), truth_of(annotations, self.classes)


def _images(
    located: Sequence[Located],
    stored: _Stored,
    facts: dict[str, ImageFacts],
    survey: Survey,
    on_image: Callable[[int, int], None],
) -> Iterator[tuple[Located, ImageFacts]]:
    """Each image with its facts, which are added to those that are known; what cannot be read is refused."""
    settled_ns = time.time_ns() - SETTLED_NS

    def read(each: Located) -> tuple[str | None, ImageFacts | DatasetError]:
        key = _key(stored, each.image, settled_ns)
        known = None if key is None else facts.get(key)
        if known is not None:
            return key, known
        try:
            return key, _facts_of(stored, each.image)
        except DatasetError as error:
            return key, error

    with ThreadPoolExecutor(max_workers=os.cpu_count()) as pool:
        for start in range(0, len(located), BATCH):
            batch = located[start : start + BATCH]
            for each, (key, found) in zip(batch, pool.map(read, batch), strict=True):
                with survey.going_on():
                    if isinstance(found, DatasetError):
                        raise found
                    if key is not None:
                        facts[key] = found
                    yield each, found
            on_image(start + len(batch), len(located))


def _key(stored: _Stored, image: str, settled_ns: int) -> str | None:
    """By what the facts about an image are kept; None for one that may still change."""
    md5 = stored.md5.get(image)
    if md5 is not None:
        return md5
    state = state_of(f"{stored.root}/{image}")
    return None if max(state[1], state[2]) > settled_ns else "-".join(map(str, state))


def _facts_of(stored: _Stored, image: str) -> ImageFacts:
    path = stored.root / image
    data, wanted = bytes_of(path), stored.md5.get(image)
    if wanted is not None and hashlib.md5(data, usedforsecurity=False).hexdigest() != wanted:
        raise _damaged(image, wanted)
    width_px, height_px = upright_size(path)
    return hashlib.sha256(data).hexdigest(), width_px, height_px


def _damaged(path: str, md5: str) -> DatasetError:
    return DatasetError(f"{path}: damaged in DVC's cache: it does not have the MD5 {md5}", hint=FETCH)


def _read_facts(path: Path) -> dict[str, ImageFacts]:
    """What is known; nothing where it cannot be read: it is only a cache."""
    try:
        content = json.loads(path.read_bytes())
        if content["format"] != FORMAT:
            return {}
        return {str(key): (str(sha256), int(width), int(height)) for key, (sha256, width, height) in content["images"]}
    except (OSError, ValueError, KeyError, TypeError):
        return {}


def _write_facts(path: Path, facts: Mapping[str, ImageFacts]) -> None:
    content = {"format": FORMAT, "images": list(facts.items())}
    write_bytes_whole(path, json.dumps(content).encode(), mode=0o600)
