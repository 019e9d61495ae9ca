"""`DatasetStore`: recorded revisions that can be pulled or made, in memory and with DVC on a git repository."""

import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cv_yolo.adapters.dvc.store import DvcStore
from cv_yolo.errors import DatasetError
from cv_yolo.ports.datasets import DatasetStore, FoundDataset, TransferProgress
from cv_yolo.settings import Settings
from tests.builders import an_image
from tests.dvc_recipe import RECIPE
from tests.fakes import FakeDatasetFolder, FakeDatasetStore


@dataclass(frozen=True, kw_only=True)
class Case:
    """A store that has recorded `known`, can make `makeable`, and knows nothing of `unknown`."""

    store: DatasetStore
    known: Path
    makeable: Path
    unknown: Path
    remove: Callable[[Path], None]
    change: Callable[[Path], None]
    exists: Callable[[Path], bool]


def fake_case(root: Path) -> Case:
    folder = FakeDatasetFolder()
    known, makeable, unknown = root / "known", root / "made", root / "unknown"
    found = FoundDataset(classes=("person",), images=(an_image(),))
    for each in (known, unknown):
        folder.put(each, found)
    store = FakeDatasetStore(folder, recorded={known: found}, recipes={makeable: found})
    changed = FoundDataset(classes=("person",), images=(an_image(image_sha256="another"),))
    return Case(
        store=store,
        known=known,
        makeable=makeable,
        unknown=unknown,
        remove=lambda path: folder._stored.pop(path) and None,
        change=lambda path: folder.put(path, changed),
        exists=folder.exists,
    )


@pytest.fixture(scope="module")
def dvc_project(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("dvc") / "project"
    root.mkdir()
    environment = os.environ | Settings(root=root).isolation()

    def command(*words: str) -> None:
        subprocess.run(words, cwd=root, env=environment, check=True, capture_output=True)

    def dvc(*words: str) -> None:
        command(sys.executable, "-m", "dvc", *words)

    for name in ("known", "unknown"):
        (root / "data" / name).mkdir(parents=True)
        (root / "data" / name / "data.yaml").write_text("names: [person]\n", encoding="utf-8")
        (root / "data" / name / "note.txt").write_text(name, encoding="utf-8")
    command("git", "init", "-q")
    dvc("init", "-q")
    dvc("remote", "add", "-q", "-d", "local", str(root.parent / "remote"))
    dvc("add", "-q", "data/known")
    dvc("push", "-q")
    (root / "dvc.yaml").write_text(RECIPE, encoding="utf-8")
    return root


def dvc_case(pristine: Path, root: Path) -> Case:
    shutil.copytree(pristine, root)
    data = root / "data"
    return Case(
        store=DvcStore(root=root, environment=os.environ | Settings(root=root).isolation()),
        known=data / "known",
        makeable=data / "made",
        unknown=data / "unknown",
        remove=shutil.rmtree,
        change=lambda path: (path / "note.txt").write_text("changed", encoding="utf-8") and None,
        exists=lambda path: (path / "data.yaml").is_file(),
    )


@pytest.fixture(params=["fake", "dvc"])
def case(request: pytest.FixtureRequest, tmp_path: Path) -> Case:
    if request.param == "fake":
        return fake_case(tmp_path)
    return dvc_case(request.getfixturevalue("dvc_project"), tmp_path / "project")


def test_unchanged_recorded_data_have_the_recorded_hash(case: Case) -> None:
    recorded = case.store.recorded_hash(case.known)
    assert recorded is not None
    assert recorded.endswith(".dir")
    assert case.store.content_hash(case.known) == recorded


def test_a_changed_file_changes_the_content_hash_and_not_the_recorded_one(case: Case) -> None:
    recorded = case.store.recorded_hash(case.known)
    case.change(case.known)
    assert case.store.content_hash(case.known) != recorded
    assert case.store.recorded_hash(case.known) == recorded


def test_unrecorded_data_has_only_a_content_hash(case: Case) -> None:
    assert case.store.content_hash(case.unknown) is not None
    assert case.store.recorded_hash(case.unknown) is None


def test_a_missing_folder_has_no_content_hash(case: Case) -> None:
    assert case.store.content_hash(case.makeable) is None


def test_a_recorded_revision_that_is_missing_is_pulled(case: Case) -> None:
    before = case.store.content_hash(case.known)
    case.remove(case.known)
    assert case.store.pull(case.known)
    assert case.exists(case.known)
    assert case.store.content_hash(case.known) == before


def test_unrecorded_data_cannot_be_pulled(case: Case) -> None:
    assert not case.store.pull(case.makeable)
    assert not case.exists(case.makeable)


def test_data_with_a_recipe_are_generated_and_recorded(case: Case) -> None:
    assert case.store.make(case.makeable)
    assert case.exists(case.makeable)
    assert case.store.recorded_hash(case.makeable) == case.store.content_hash(case.makeable)


def test_data_without_a_recipe_are_not_generated(case: Case) -> None:
    assert not case.store.make(case.unknown)


def test_recorded_data_can_be_pushed_and_pulled(case: Case) -> None:
    case.store.push(case.known)
    case.remove(case.known)
    assert case.store.pull(case.known)


def test_a_push_records_the_folder_as_it_is(case: Case) -> None:
    pushed = case.store.push(case.unknown)
    assert pushed.recorded
    assert pushed.uploaded_objects > 0
    assert pushed.dvc_hash == case.store.content_hash(case.unknown) == case.store.recorded_hash(case.unknown)


def test_a_second_push_of_the_same_content_has_nothing_to_do(case: Case) -> None:
    case.store.push(case.unknown)
    pushed = case.store.push(case.unknown)
    assert (pushed.recorded, pushed.uploaded_objects) == (False, 0)


def test_a_changed_folder_is_pushed_as_a_new_revision(case: Case) -> None:
    before = case.store.recorded_hash(case.known)
    case.change(case.known)
    pushed = case.store.push(case.known)
    assert pushed.recorded
    assert case.store.recorded_hash(case.known) == pushed.dvc_hash != before


def test_a_folder_that_is_neither_here_nor_recorded_cannot_be_pushed(case: Case) -> None:
    with pytest.raises(DatasetError):
        case.store.push(case.unknown.with_name("nowhere"))


def test_a_revision_can_be_pulled_to_another_folder(case: Case) -> None:
    out = case.known.with_name("elsewhere")
    pulled = case.store.pull(case.known, out=out)
    assert pulled is not None
    assert pulled.folder == out
    assert case.exists(out)
    assert case.store.content_hash(out) == pulled.dvc_hash == case.store.recorded_hash(case.known)


def test_progress_is_reported(case: Case) -> None:
    seen: list[TransferProgress] = []
    case.store.push(case.unknown, on_progress=seen.append)
    assert "Uploading" in {each.stage for each in seen}


def test_a_recipe_is_known_by_its_name(case: Case) -> None:
    assert case.store.recipe(case.makeable) == "make_it"
    assert case.store.recipe(case.unknown) is None


def test_a_data_set_changes_between_shards_and_single_files_and_stays_the_same(case: Case) -> None:
    content = case.store.content_hash(case.unknown)
    for shards in (True, False):
        pushed = case.store.push(case.unknown, shards=shards)
        assert (pushed.dvc_hash, pushed.shards > 0) == (content, shards)
        case.remove(case.unknown)
        assert case.store.pull(case.unknown) is not None
        assert case.store.content_hash(case.unknown) == case.store.recorded_hash(case.unknown) == content
