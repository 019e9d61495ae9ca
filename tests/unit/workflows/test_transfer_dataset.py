"""A revision is recorded and kept where others can pull it, and fetched again."""

from pathlib import Path

import pytest

from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import FoundDataset
from cv_yolo.workflows.transfer_dataset import pull_dataset, push_dataset
from tests.builders import a_manifest
from tests.fakes import FakeDatasetFolder, FakeDatasetStore

ROOT = Path("data/tiny_coco")
WHOLE = FoundDataset(classes=("person",), images=a_manifest().images)


def pushed_to(store, *, name=None, shards=None):
    return push_dataset(ROOT, store, name=name, shards=shards, on_progress=lambda _: None)


def pulled_from(store, *, out=None):
    return pull_dataset(ROOT, store, out=out, on_progress=lambda _: None)


def a_folder():
    folder = FakeDatasetFolder()
    folder.put(ROOT, WHOLE, recorded=None)
    return folder


def test_a_folder_is_recorded_and_pushed_in_one_step():
    store = FakeDatasetStore(a_folder())
    pushed = pushed_to(store)
    assert (pushed.recorded, pushed.files) == (True, len(WHOLE.images))
    assert pushed.dvc_hash == store.recorded_hash(ROOT)
    assert store.pushed == [ROOT]


def test_a_recorded_revision_is_pulled():
    folder = FakeDatasetFolder()
    store = FakeDatasetStore(folder, recorded={ROOT: WHOLE})
    assert pulled_from(store).folder == ROOT
    assert folder.exists(ROOT)


def test_a_revision_can_be_pulled_to_another_folder():
    folder, out = FakeDatasetFolder(), Path("elsewhere")
    assert pulled_from(FakeDatasetStore(folder, recorded={ROOT: WHOLE}), out=out).folder == out
    assert folder.exists(out)
    assert not folder.exists(ROOT)


def test_a_revision_that_was_never_pushed_cannot_be_pulled():
    store = FakeDatasetStore(FakeDatasetFolder(), recorded={ROOT: WHOLE}, lost=True)
    with pytest.raises(DatasetError, match="neither DVC's cache nor its remote") as refusal:
        pulled_from(store)
    assert "cv-yolo data push" in refusal.value.hint


def test_what_was_never_recorded_is_not_pulled():
    with pytest.raises(DatasetError, match="no revision of it is recorded") as refusal:
        pulled_from(FakeDatasetStore(a_folder()))
    assert f"cv-yolo data push {ROOT}" in refusal.value.hint


def test_what_a_recipe_makes_is_pushed_as_its_run_recorded_it():
    store = FakeDatasetStore(a_folder(), recipes={ROOT: WHOLE})
    with pytest.raises(DatasetError, match="DVC has recorded no revision") as refusal:
        pushed_to(store)
    assert "dvc repro make_it" in refusal.value.hint
    assert store.make(ROOT)
    assert pushed_to(store).dvc_hash == store.recorded_hash(ROOT)


def test_what_a_recipe_makes_does_not_go_into_shards():
    store = FakeDatasetStore(a_folder(), recipes={ROOT: WHOLE})
    with pytest.raises(DatasetError, match=r"stage make_it of dvc\.yaml"):
        pushed_to(store, shards=True)
