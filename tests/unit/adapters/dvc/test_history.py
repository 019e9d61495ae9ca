"""Records in git's history as people have it: in a folder of the repository, shallow, on branches, unfinished."""

import hashlib
import json
import shutil
from pathlib import Path

import pytest

from cv_yolo.adapters.dvc import git as subject
from cv_yolo.adapters.dvc.history import DvcHistory
from cv_yolo.errors import DatasetError
from tests import dvc_records
from tests.fake_revisions import hashes

CONTENT = "names: [person]\n"


def a_folder(project: Path, content: str = CONTENT, name: str = "mine") -> Path:
    folder = project / "data" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "data.yaml").write_text(content, encoding="utf-8")
    return folder


def history_of(project: Path) -> DvcHistory:
    return DvcHistory(project=project, scratch=project / "tmp")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one recorded and committed revision."""
    root = dvc_records.a_project(tmp_path / "project")
    dvc_records.add(root, a_folder(root))
    dvc_records.commit(root, "first")
    return root


def test_a_record_that_is_not_committed_comes_first(project: Path) -> None:
    (committed,) = history_of(project).recorded(project / "data" / "mine").revisions
    dvc_hash = dvc_records.add(project, a_folder(project, "names: [dog]\n"))
    first, second = history_of(project).recorded(project / "data" / "mine").revisions
    assert (first.dvc_hash, first.commit, first.former) == (dvc_hash, None, committed.dvc_hash)
    assert second == committed


def test_a_commit_that_leaves_the_folder_as_it_was_is_no_revision(project: Path) -> None:
    record = project / "data" / "mine.dvc"
    record.write_text(record.read_text(encoding="utf-8") + "desc: cats\n", encoding="utf-8")
    dvc_records.commit(project, "described")
    (project / "dvc.lock").write_text("stages:\n  other:\n    outs:\n    - path: x\n      md5: 1.dir\n", "utf-8")
    dvc_records.commit(project, "another stage")
    assert [each.subject for each in history_of(project).recorded(project / "data" / "mine").revisions] == ["first"]


def test_what_is_recorded_again_after_it_was_reverted_is_listed_each_time(project: Path) -> None:
    for content in ("names: [dog]\n", CONTENT):
        dvc_records.add(project, a_folder(project, content))
        dvc_records.commit(project, content)
    third, second, first = hashes(history_of(project).recorded(project / "data" / "mine").revisions)
    assert third == first != second


def test_other_branches_count_only_where_all_are_asked_for(project: Path) -> None:
    dvc_records.git(project, "checkout", "-q", "-b", "trial")
    dvc_records.add(project, a_folder(project, "names: [dog]\n"))
    dvc_records.commit(project, "on a branch")
    dvc_records.git(project, "checkout", "-q", "main")
    history = history_of(project)
    assert len(history.recorded(project / "data" / "mine").revisions) == 1
    assert len(history.recorded(project / "data" / "mine", everywhere=True).revisions) == 2
    assert history.at(project / "data" / "mine", "trial").subject == "on a branch"


def test_recorded_folders_that_hold_no_data_set_are_left_out(project: Path) -> None:
    models = project / "models"
    models.mkdir()
    (models / "best.pt").write_bytes(b"weights")
    dvc_records.add(project, models)
    dvc_records.git(project, "add", "models.dvc")
    dvc_records.git(project, "commit", "-q", "-m", "models")
    found = history_of(project).recorded(everywhere=True).revisions
    assert {each.folder.name for each in found} == {"mine"}


def test_a_project_in_a_folder_of_the_repository(tmp_path: Path) -> None:
    dvc_records.git(tmp_path, "init", "-q", "-b", "main")
    root = dvc_records.a_project(tmp_path / "teams" / "vision lab")
    dvc_records.add(root, a_folder(root))
    (tmp_path / ".gitignore").write_text("mine/\ncache/\n", encoding="utf-8")
    dvc_records.git(tmp_path, "add", "-A")
    dvc_records.git(tmp_path, "commit", "-q", "-m", "all")
    history = history_of(root)
    assert [each.file for each in history.recorded(root / "data" / "mine").revisions] == ["data/mine.dvc"]
    assert [each.folder for each in history.recorded(everywhere=True).revisions] == [root / "data" / "mine"]


def test_a_shallow_clone_says_that_older_commits_are_not_here(project: Path, tmp_path: Path) -> None:
    dvc_records.add(project, a_folder(project, "names: [dog]\n"))
    dvc_records.commit(project, "second")
    clone = tmp_path / "clone"
    dvc_records.git(tmp_path, "clone", "-q", "--depth", "1", f"file://{project}", str(clone))
    found = history_of(clone).recorded(clone / "data" / "mine")
    assert [each.subject for each in found.revisions] == ["second"]
    assert "this clone is shallow: older commits are not here (`git fetch --unshallow`)" in found.notes


def test_a_repository_without_commits_and_no_repository_say_so(tmp_path: Path) -> None:
    root = dvc_records.a_project(tmp_path / "project")
    folder = a_folder(root)
    dvc_hash = dvc_records.add(root, folder)
    found = history_of(root).recorded(folder)
    assert hashes(found.revisions) == [dvc_hash]
    assert "is not in a git repository" in found.notes[0]
    dvc_records.git(root, "init", "-q")
    assert "git has no commits yet" in history_of(root).recorded(folder).notes[0]
    with pytest.raises(DatasetError, match="mine@HEAD: git has no commits yet"):
        history_of(root).at(folder, "HEAD")


def test_without_git_the_current_record_is_all_that_is_known(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nowhere")
    found = history_of(project).recorded(project / "data" / "mine")
    assert len(found.revisions) == 1
    assert found.notes == ("git is not installed: what was recorded before is not known",)


def test_a_git_that_does_not_answer_is_waited_for_in_vain_no_longer(
    project: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(subject, "TIMEOUT_S", 0.0)
    (note,) = history_of(project).recorded(project / "data" / "mine").notes
    assert note.startswith("`git rev-parse` did not end within")


def test_a_damaged_repository_is_named_with_the_words_of_git(project: Path) -> None:
    (project / ".git" / "config").write_text("[core\n", encoding="utf-8")
    (note,) = history_of(project).recorded(project / "data" / "mine").notes
    assert note.startswith(f"git cannot read {project}: bad config")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"\xff", "utf-8"),
        (b"- a list\n", "not a DVC file"),
        (b"outs: 3\n", "not a DVC file"),
        (b"outs:\n- md5: 1.dir\n", "not a DVC file"),
        (b"outs: [\n", "while parsing"),
    ],
)
def test_a_broken_record_is_named_and_the_others_are_listed(project: Path, content: bytes, reason: str) -> None:
    (project / "data" / "mine.dvc").write_bytes(content)
    found = history_of(project).recorded(project / "data" / "mine")
    assert [each.subject for each in found.revisions] == ["first"]
    assert reason in found.notes[0]
    assert found.notes[0].endswith("(`git checkout data/mine.dvc` restores it)")
    dvc_records.commit(project, "broken")
    (project / "data" / "mine.dvc").write_bytes(content + b"\n")
    dvc_records.commit(project, "still broken")
    (project / "data" / "mine.dvc").write_bytes(content)
    dvc_records.commit(project, "broken again")
    notes = history_of(project).recorded(project / "data" / "mine").notes
    assert sum("data/mine.dvc in commit" in note for note in notes) == 3


def list_of(project: Path, dvc_hash: str) -> Path:
    return project / ".dvc" / "cache" / "files" / "md5" / dvc_hash[:2] / dvc_hash[2:]


def test_a_list_of_files_that_does_not_have_its_hash_is_refused(project: Path) -> None:
    (dvc_hash,) = hashes(history_of(project).recorded(project / "data" / "mine").revisions)
    list_of(project, dvc_hash).write_text("[]", encoding="utf-8")
    assert not history_of(project).stored(dvc_hash).complete
    with pytest.raises(DatasetError, match="damaged"), history_of(project).laid_out(dvc_hash):
        pass


@pytest.mark.parametrize("path", ["../out.txt", "/etc/passwd", "a/../../b", ""])
def test_a_list_that_names_files_outside_the_folder_is_refused(project: Path, path: str) -> None:
    dvc_hash = put_list(project, json.dumps([{"md5": "ab" * 16, "relpath": path}]))
    with pytest.raises(DatasetError, match="names a file outside the folder"), history_of(project).laid_out(dvc_hash):
        pass


def test_what_is_no_list_is_refused(project: Path) -> None:
    dvc_hash = put_list(project, '[{"md5": 1}]')
    with pytest.raises(DatasetError, match="not a list of files"), history_of(project).laid_out(dvc_hash):
        pass


def put_list(project: Path, content: str) -> str:
    dvc_hash = hashlib.md5(content.encode(), usedforsecurity=False).hexdigest() + ".dir"
    place = list_of(project, dvc_hash)
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(content, encoding="utf-8")
    return dvc_hash


def test_a_hash_that_is_none_names_no_file(project: Path) -> None:
    assert history_of(project).stored("../../etc.dir").files is None


def test_missing_files_are_counted(project: Path) -> None:
    (dvc_hash,) = hashes(history_of(project).recorded(project / "data" / "mine").revisions)
    listed = json.loads(list_of(project, dvc_hash).read_bytes())
    list_of(project, listed[0]["md5"]).unlink()
    assert history_of(project).stored(dvc_hash).missing == 1
    refused = pytest.raises(DatasetError, match=r"1 of 1 files are not in DVC's cache: data\.yaml$")
    with refused, history_of(project).laid_out(dvc_hash):
        pass


def test_the_cache_is_where_dvc_is_configured_to_have_it(project: Path) -> None:
    (dvc_hash,) = hashes(history_of(project).recorded(project / "data" / "mine").revisions)
    shutil.move(project / ".dvc" / "cache", project / "elsewhere")
    (project / ".dvc" / "config").write_text("[cache]\n    dir = ../elsewhere\n", encoding="utf-8")
    assert history_of(project).stored(dvc_hash).complete


def test_a_broken_configuration_of_dvc_is_named(project: Path) -> None:
    (project / ".dvc" / "config").write_text("[cache\n", encoding="utf-8")
    with pytest.raises(DatasetError, match="config: cannot be read"), history_of(project).laid_out("ab12.dir"):
        pass


def test_the_record_of_a_set_in_shards_is_known_by_its_content(project: Path) -> None:
    record = project / "data" / "big.shards.dvc"
    record.write_text(
        "outs:\n- md5: aa11.dir\n  path: big.shards\nmeta:\n  cv_yolo:\n    content: bb22.dir\n", encoding="utf-8"
    )
    dvc_records.commit(project, "shards")
    (found,) = history_of(project).recorded(project / "data" / "big").revisions
    assert (found.dvc_hash, found.file) == ("bb22.dir", "data/big.shards.dvc")
