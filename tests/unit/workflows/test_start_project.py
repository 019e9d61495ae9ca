"""A folder becomes a project by what it lacks; what is there stays as it is, and is named where it differs."""

import errno

import pytest

from cv_yolo.errors import ConfigError, DiskFullError
from cv_yolo.ports.projects import StarterFile
from cv_yolo.workflows import start_project as module
from cv_yolo.workflows.start_project import FileState, plan_project, start_project

ADDED, UPDATED, UNCHANGED, KEPT = FileState
CONFIG = b"[core]\n    remote = embedded\n"
FILES = (
    StarterFile(path=".dvc/config", content=CONFIG),
    StarterFile(path=".gitignore", content=b"# ours\n/.cv-yolo/\n/build/\n"),
    StarterFile(path="README.md", content=b"# Ours\n"),
    StarterFile(path="tools/run.sh", content=b"#!/bin/sh\n", executable=True),
)
PATHS = tuple(each.path for each in FILES)


@pytest.fixture
def root(tmp_path):
    """An empty folder outside any git work tree."""
    made = tmp_path / "project"
    made.mkdir()
    return made


def states(root):
    return {each.file.path: str(each.state) for each in plan_project(root, FILES).files}


def test_an_empty_folder_gets_all_files(root):
    plan = plan_project(root, FILES)
    assert (plan.paths(ADDED), plan.foreign, plan.asks_first, plan.git, plan.outer) == (PATHS, (), False, None, None)
    start_project(plan)
    assert (root / "README.md").read_bytes() == b"# Ours\n"
    assert (root / "tools" / "run.sh").stat().st_mode & 0o100
    assert not (root / "README.md").stat().st_mode & 0o111


def test_a_folder_that_does_not_exist_is_made(root):
    start_project(plan_project(root / "a" / "b", FILES))
    assert (root / "a" / "b" / "README.md").is_file()


def test_the_same_again_changes_nothing(root):
    start_project(plan_project(root, FILES))
    before = {each: each.stat() for each in root.rglob("*")}
    again = plan_project(root, FILES)
    start_project(again)
    assert (again.paths(UNCHANGED), again.asks_first) == (PATHS, False)
    assert {each: each.stat() for each in root.rglob("*")} == before


def test_what_an_interrupted_start_left_out_is_added_without_a_question(root):
    start_project(plan_project(root, FILES[:2]))
    (root / "notes.txt").touch()
    again = plan_project(root, FILES)
    assert (again.paths(ADDED), again.asks_first) == (PATHS[2:], False)


def test_a_file_that_differs_is_kept(root):
    (root / "README.md").write_text("# Mine\n", encoding="utf-8")
    plan = plan_project(root, FILES)
    start_project(plan)
    assert (plan.paths(KEPT), plan.foreign, plan.asks_first) == (("README.md",), ("README.md",), True)
    assert (root / "README.md").read_text("utf-8") == "# Mine\n"


def test_a_link_to_nothing_is_kept(root):
    (root / "README.md").symlink_to("gone.md")
    start_project(plan_project(root, FILES))
    assert states(root)["README.md"] == "kept"
    assert (root / "README.md").is_symlink()


def test_a_kept_gitignore_comes_with_the_lines_that_it_lacks(root):
    (root / ".gitignore").write_text("/build/\n", encoding="utf-8")
    kept = next(each for each in plan_project(root, FILES).files if each.state is KEPT)
    assert kept.missing_lines == ("/.cv-yolo/",)


def test_a_folder_with_other_files_asks_first_but_not_for_what_tools_keep_there(root):
    (root / ".git").mkdir()
    (root / ".venv").mkdir()
    assert plan_project(root, FILES).asks_first is False
    (root / "photo.jpg").touch()
    assert plan_project(root, FILES).foreign == ("photo.jpg",)
    assert plan_project(root, FILES).asks_first is True


def test_dvc_is_set_up_with_git_in_a_work_tree_and_without_it_elsewhere(root):
    start_project(plan_project(root, FILES))
    assert (root / ".dvc" / "config").read_bytes() == b"[core]\n    no_scm = true\n    remote = embedded\n"
    (root / ".git").mkdir()
    plan = plan_project(root, FILES)
    assert (plan.git, plan.paths(UPDATED), plan.asks_first) == (root, (".dvc/config",), False)
    start_project(plan)
    assert (root / ".dvc" / "config").read_bytes() == CONFIG
    assert states(root)[".dvc/config"] == "unchanged"


def test_a_configuration_of_dvc_that_somebody_changed_is_kept(root):
    (root / ".dvc").mkdir()
    (root / ".dvc" / "config").write_text("[core]\n    remote = mine\n", encoding="utf-8")
    assert states(root)[".dvc/config"] == "kept"


def test_a_project_inside_another_one_is_noticed(root):
    start_project(plan_project(root, FILES))
    assert plan_project(root / "inner", FILES).outer == root


@pytest.mark.parametrize("name", ["project", "project/inner"])
def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path, name):
    (tmp_path / "project").touch()
    with pytest.raises(ConfigError, match="project: not a folder"):
        plan_project(tmp_path / name, FILES)


def test_a_link_to_nothing_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "project").symlink_to("gone")
    with pytest.raises(ConfigError, match="project: not a folder"):
        plan_project(tmp_path / "project", FILES)


def test_files_and_folders_in_each_others_place_are_refused_before_anything_is_written(root):
    (root / "tools").touch()
    (root / "README.md").mkdir()
    with pytest.raises(ConfigError, match=r"README.md, tools: a file where a folder should be"):
        plan_project(root, FILES)
    assert sorted(each.name for each in root.iterdir()) == ["README.md", "tools"]


def test_a_folder_that_takes_no_files_is_the_persons_input(root, monkeypatch):
    def refuses(path, content, *, mode):
        raise PermissionError(errno.EACCES, "Permission denied", str(path))

    monkeypatch.setattr(module, "write_bytes_whole", refuses)
    with pytest.raises(ConfigError, match=r"config: cannot be written: Permission denied") as refused:
        start_project(plan_project(root, FILES))
    assert "a folder of your own" in refused.value.hint


def test_a_full_disk_is_named_with_what_is_free(root, monkeypatch):
    def full(path, content, *, mode):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(module, "write_bytes_whole", full)
    with pytest.raises(DiskFullError, match=r"config does not fit, .* free on"):
        start_project(plan_project(root, FILES))


def test_a_name_that_no_file_system_takes_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="cannot be read: File name too long"):
        plan_project(tmp_path / ("x" * 300), FILES)
