"""A data set `mine` with two recorded revisions, for tests of what is done with revisions."""

from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from cv_yolo.domain.data.difference import DatasetContent
from cv_yolo.domain.data.manifest import Split
from cv_yolo.ports.revisions import RecordedRevision
from cv_yolo.workflows.dataset_revisions import RevisionSource
from tests.builders import NOON, a_truth, an_image
from tests.fake_revisions import FakeDatasetContents, FakeDatasetHistory, FakeKnownRevisions


def an_image_of(split, name, **changes):
    return an_image(split=split, image=f"images/{split}/{name}.jpg", **changes)


def a_content(*names, classes=("person",), label="l"):
    """Images of train by name, and one of val and of test."""
    images = [an_image_of(Split.TRAIN, name, label_sha256=label) for name in names]
    images += [an_image_of(Split.VAL, "v"), an_image_of(Split.TEST, "t")]
    truths = {each.image: a_truth((10.0, 10.0, 60.0, 60.0), image=each.image) for each in images}
    return DatasetContent(classes=classes, images=tuple(images), truths=truths)


FIRST, SECOND = a_content("a", "b"), a_content("a", "b", "c")
FIRST_HASH, SECOND_HASH = "1111aaaa.dir", "2222bbbb.dir"


@dataclass
class Records:
    """What is recorded, and what is in the folders of a project."""

    project: Path
    contents: FakeDatasetContents = field(default_factory=FakeDatasetContents)
    known: FakeKnownRevisions = field(default_factory=FakeKnownRevisions)
    progress: list = field(default_factory=list)
    runs: tuple = ()

    def __post_init__(self):
        self.history = FakeDatasetHistory(self.contents)

    @property
    def mine(self):
        return self.project / "data" / "mine"

    @property
    def source(self):
        return RevisionSource(
            history=self.history,
            contents=self.contents,
            known=self.known,
            runs=lambda: self.runs,
            on_image=lambda *step: self.progress.append(step),
        )

    def record(self, dvc_hash, content, *, number=None, folder=None, tag=None):
        self.history.record(
            RecordedRevision(
                folder=folder or self.mine,
                dvc_hash=dvc_hash,
                file="data/mine.dvc",
                commit=None if number is None else f"{number:040x}",
                at=None if number is None else NOON + timedelta(days=number),
                author=None if number is None else "Ann",
                subject=None if number is None else f"change {number}",
            ),
            content,
            tag=tag,
        )


def two_revisions(project):
    records = Records(project=project)
    records.record(FIRST_HASH, FIRST, number=1)
    records.record(SECOND_HASH, SECOND, number=2, tag="v2")
    records.contents.put(records.mine, SECOND)
    records.mine.mkdir(parents=True)
    return records
