"""What was found out about revisions is remembered, and a damaged file is forgotten."""

from pathlib import Path

import pytest

from cv_yolo.adapters.files.revisions import RevisionsFolder
from cv_yolo.domain.data.manifest import Split
from cv_yolo.ports.revisions import RevisionSummary

SUMMARY = RevisionSummary(revision="a" * 64, classes=("cat",), images={Split.TRAIN: 3}, boxes=4, test_revision="b" * 64)


def test_what_is_kept_is_found_again(tmp_path: Path) -> None:
    known = RevisionsFolder(tmp_path / "revisions")
    assert known.summary("1.dir") is None
    assert known.counts("1.dir", "2.dir") is None
    known.keep_summary("1.dir", SUMMARY)
    known.keep_counts("1.dir", "2.dir", {"added": 3})
    assert known.summary("1.dir") == SUMMARY
    assert known.counts("1.dir", "2.dir") == {"added": 3}
    assert known.counts("2.dir", "1.dir") is None


@pytest.mark.parametrize("damaged", ["{", "[]", '{"format": 0, "content": {}}', '{"format": 1, "content": {"a": "b"}}'])
def test_what_cannot_be_read_is_not_known(tmp_path: Path, damaged: str) -> None:
    known = RevisionsFolder(tmp_path)
    for name in ("1.dir", "1.dir-2.dir"):
        (tmp_path / f"{name}.json").write_text(damaged, encoding="utf-8")
    assert known.summary("1.dir") is None
    assert known.counts("1.dir", "2.dir") is None
