"""The folder of all state: private from its first moment, corrected where it was open, refused where it is not ours."""

import os
import stat
import struct
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from cv_yolo.adapters.files.home import keep_private, weak_places
from cv_yolo.container import Container
from cv_yolo.errors import ConfigError
from cv_yolo.settings import Settings
from tests.other_user import NUMBER, as_other_user, needs_root, reachable_folder, reached_by_other_user

CONTENT = '{"url": "http://127.0.0.1:1", "api_key": "key"}'


@pytest.fixture
def shared() -> Iterator[Path]:
    with reachable_folder() as folder:
        yield folder


@pytest.fixture(params=[0o000, 0o002, 0o022, 0o077])
def umask(request: pytest.FixtureRequest) -> Iterator[int]:
    former = os.umask(request.param)
    yield request.param
    os.umask(former)


def mode_of(path: Path) -> int:
    return stat.S_IMODE(path.stat().st_mode)


def open_home(root: Path) -> Path:
    """A home as former versions left it under the usual umask."""
    home = root / ".cv-yolo"
    for folder in ("dvc/site/repo/ab", "zenml-server", "mlflow", "services"):
        (home / folder).mkdir(parents=True)
    for name, mode in {
        "zenml-server/credentials.yaml": 0o644,
        "connection.json": 0o600,
        "dvc/site/repo/ab/db.db": 0o666,
        "mlflow/mlflow.db": 0o644,
        "services/credentials.json": 0o600,
    }.items():
        (home / name).write_text(CONTENT, encoding="utf-8")
        (home / name).chmod(mode)
    for folder, mode in {
        ".": 0o755,
        "dvc": 0o777,
        "dvc/site": 0o777,
        "dvc/site/repo": 0o777,
        "services": 0o700,
    }.items():
        (home / folder).chmod(mode)
    for folder in ("zenml-server", "mlflow"):
        (home / folder).chmod(0o755)
    return home


def test_a_new_home_is_private_whatever_the_umask(tmp_path: Path, umask: int) -> None:
    assert list(keep_private(tmp_path / "above" / "home")) == []
    found = [tmp_path / "above" / "home", *(tmp_path / "above" / "home").rglob("*")]
    assert len(found) > 1
    assert {mode_of(path) for path in found} == {0o700}


def test_there_is_no_moment_in_which_a_new_home_is_open(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    made: list[tuple[str, int]] = []
    former, make = os.umask(0), os.mkdir

    def watched(path: str, mode: int = 0o777, **more: int) -> None:
        make(path, mode, **more)
        made.append((Path(path).name, mode_of(Path(path))))

    monkeypatch.setattr(os, "mkdir", watched)
    try:
        list(keep_private(tmp_path / "home"))
    finally:
        os.umask(former)
    assert {mode for _, mode in made} == {0o700}, made


def test_a_home_that_was_open_is_closed_with_one_message_that_names_what_lay_open(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    (message,) = keep_private(home)
    assert mode_of(home) == 0o700
    assert f"{home} was open to other users of this machine (mode 0755)" in message
    assert "They could write: dvc, dvc/site, dvc/site/repo and 1 more" in message
    assert "They could read keys: zenml-server/credentials.yaml." in message
    assert "`cv-yolo stack key NAME`" in message
    assert list(keep_private(home)) == [], "it is reported once"


def test_the_content_of_an_open_home_is_made_private_too(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    (home / "mlflow" / "link").symlink_to(tmp_path)
    os.mkfifo(home / "mlflow" / "pipe")
    tmp_path.chmod(0o755)
    list(keep_private(home))
    checked = [path for path in home.rglob("*") if path.is_dir() or path.is_file()]
    assert [path for path in checked if not path.is_symlink() and mode_of(path) & 0o077] == []
    assert mode_of(tmp_path) == 0o755, "a link is not followed"
    assert (home / "mlflow" / "mlflow.db").read_text(encoding="utf-8") == CONTENT


def test_dvcs_notes_of_a_home_that_was_open_are_forgotten(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    list(keep_private(home))
    assert [path for path in (home / "dvc").rglob("*") if path.is_file()] == []


def test_a_home_without_keys_in_the_open_speaks_of_no_keys(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    (home / "zenml-server" / "credentials.yaml").unlink()
    (message,) = keep_private(home)
    assert "read keys" not in message


def test_another_hard_link_to_a_file_is_closed_with_it(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    os.link(home / "zenml-server" / "credentials.yaml", tmp_path / "kept-by-another")
    list(keep_private(home))
    assert mode_of(tmp_path / "kept-by-another") == 0o600


def test_a_file_that_vanishes_meanwhile_is_not_a_failure(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    home = open_home(tmp_path)
    listed = Path.iterdir
    monkeypatch.setattr(Path, "iterdir", lambda folder: [*listed(folder), folder / "gone"])
    list(keep_private(home))
    assert mode_of(home / "mlflow" / "mlflow.db") == 0o600


@needs_root
def test_files_of_another_user_in_an_open_home_are_set_aside(tmp_path: Path) -> None:
    home = open_home(tmp_path)
    (home / "dvc" / "mine").mkdir()
    os.chown(home / "dvc" / "mine", NUMBER, NUMBER)
    (message,) = keep_private(home)
    assert "Set aside, since another user put it there: dvc/mine." in message
    assert not (home / "dvc" / "mine").exists()
    assert len(list((home / "dvc").glob("mine.of-another-user-*"))) == 1


@needs_root
def test_a_home_that_another_user_made_before_is_refused(shared: Path) -> None:
    shared.chmod(0o1777)
    as_other_user(f"os.mkdir({str(shared / 'home')!r}, 0o777)")
    with pytest.raises(ConfigError, match="belongs to nobody") as caught:
        list(keep_private(shared / "home"))
    assert caught.value.exit_code == 2
    assert "CV_YOLO_HOME" in str(caught.value.hint)
    assert list((shared / "home").iterdir()) == []


@needs_root
def test_a_link_that_another_user_put_in_the_homes_place_is_refused(shared: Path) -> None:
    shared.chmod(0o1777)
    (shared / "elsewhere").mkdir()
    as_other_user(f"os.symlink({str(shared / 'elsewhere')!r}, {str(shared / 'home')!r})")
    with pytest.raises(ConfigError, match="a link that belongs to nobody"):
        list(keep_private(shared / "home"))


def test_a_link_of_ones_own_is_followed(tmp_path: Path) -> None:
    (tmp_path / "disk").mkdir()
    (tmp_path / "home").symlink_to(tmp_path / "disk")
    list(keep_private(tmp_path / "home"))
    assert mode_of(tmp_path / "disk") == 0o700


def test_a_file_in_the_homes_place_is_refused(tmp_path: Path) -> None:
    (tmp_path / "home").write_text("a file", encoding="utf-8")
    with pytest.raises(ConfigError, match="not a folder"):
        list(keep_private(tmp_path / "home"))


@pytest.mark.parametrize("refuses", [True, False])
def test_a_file_system_without_permissions_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, refuses: bool
) -> None:
    def fchmod(handle: int, mode: int) -> None:
        if refuses:
            raise PermissionError

    (tmp_path / "home").mkdir(mode=0o755)
    monkeypatch.setattr(os, "fchmod", fchmod)
    with pytest.raises(ConfigError, match="cannot keep other users out"):
        list(keep_private(tmp_path / "home"))


def test_without_a_writable_place_no_home_is_created(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("a file", encoding="utf-8")
    assert list(keep_private(tmp_path / "file" / "home")) == []


def test_a_folder_above_in_which_others_can_write_is_named(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    assert list(weak_places(project / ".cv-yolo")) == []
    project.chmod(0o777)
    (sentence,) = weak_places(project / ".cv-yolo")
    assert sentence.startswith(f"{project}: other users can write there")
    assert f"`chmod go-w {project}`" in sentence
    project.chmod(0o1777)
    assert list(weak_places(project / ".cv-yolo")) == [], "in a sticky folder other users cannot move ours away"


@needs_root
def test_a_folder_above_that_another_user_or_group_holds_is_named(tmp_path: Path) -> None:
    project = tmp_path / "project"
    project.mkdir()
    os.chown(project, NUMBER, -1)
    assert "belongs to nobody" in next(weak_places(project / ".cv-yolo"))
    os.chown(project, 0, NUMBER)
    project.chmod(0o775)
    assert "other users can write there" in next(weak_places(project / ".cv-yolo"))
    os.chown(project, 0, 54321)  # a group without a name
    assert "other users can write there" in next(weak_places(project / ".cv-yolo"))
    os.chown(project, 0, os.getegid())
    assert list(weak_places(project / ".cv-yolo")) == [], "a user's own group is no other user"


def test_the_wiring_closes_the_home_before_it_names_it_to_the_libraries(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    home = open_home(tmp_path)
    Container(Settings(root=tmp_path))
    assert mode_of(home) == 0o700
    output = capsys.readouterr()
    assert output.err.count("was open to other users") == 1
    assert output.out == ""


def test_the_default_home_is_closed_too_where_dvc_keeps_its_cache_in_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CV_YOLO_HOME", str(tmp_path / "elsewhere"))
    Container(Settings(root=tmp_path))
    assert not (tmp_path / ".cv-yolo").exists()
    (tmp_path / ".dvc").mkdir()
    Container(Settings(root=tmp_path))
    assert [mode_of(tmp_path / name) for name in (".cv-yolo", "elsewhere")] == [0o700, 0o700]


@needs_root
def test_a_second_local_user_reaches_nothing_of_a_home_made_by_commands_under_umask_0(shared: Path) -> None:
    environment = os.environ | {"CV_YOLO_ROOT": str(shared)}
    cli = (sys.executable, "-m", "cv_yolo")
    small = ("--counts", "2", "1", "1", "--size", "64")
    for command in (("data", "synth", *small), ("data", "check", "data/demo"), ("models", "check")):
        subprocess.run([*cli, *command], cwd=shared, env=environment, umask=0, check=True, capture_output=True)
    assert (shared / ".cv-yolo" / "mlflow" / "mlflow.db").is_file()
    assert reached_by_other_user(shared / ".cv-yolo") == []
    assert f"read {shared / 'data' / 'demo' / 'data.yaml'}" in reached_by_other_user(shared / "data"), (
        "what is the project's own follows the umask, and the test would see it"
    )


@needs_root
def test_another_user_inside_an_open_home_is_locked_out_by_the_next_command(shared: Path) -> None:
    home = open_home(shared)
    assert f"read {home / 'zenml-server' / 'credentials.yaml'}" in reached_by_other_user(home)
    with subprocess.Popen(
        [sys.executable, "-I", "-c", STANDING, str(NUMBER), str(home / "dvc")],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == "stands\n"
        Container(Settings(root=shared))
        tried, _ = other.communicate("now\n")
    assert tried == "shut out\n"
    assert reached_by_other_user(home) == []


STANDING = """
import os, sys
os.setgroups([]); os.setgid(int(sys.argv[1])); os.setuid(int(sys.argv[1])); os.chdir(sys.argv[2])
print("stands", flush=True)
sys.stdin.readline()
try:
    os.mkdir("planted")
    print("planted")
except OSError:
    print("shut out")
"""


def access_list(*, other_user: int) -> bytes:
    """A POSIX access list, as Linux keeps it, that gives one more user all rights."""
    user_obj, user, group_obj, mask, other, unspecified = 0x01, 0x02, 0x04, 0x10, 0x20, 0xFFFFFFFF
    entries = (
        (user_obj, 7, unspecified),
        (user, 7, other_user),
        (group_obj, 7, unspecified),
        (mask, 7, unspecified),
        (other, 7, unspecified),
    )
    return struct.pack("<I", 2) + b"".join(struct.pack("<HHI", *entry) for entry in entries)


@needs_root
@pytest.mark.parametrize("kind", ["access", "default"])
def test_an_access_list_gives_no_other_user_access(shared: Path, kind: str) -> None:
    home = shared / "home"
    place = shared if kind == "default" else home
    home.mkdir(exist_ok=True)
    try:
        os.setxattr(place, f"system.posix_acl_{kind}", access_list(other_user=NUMBER))
    except (AttributeError, OSError) as error:
        pytest.skip(f"no access lists here: {error}")
    if kind == "default":
        home.rmdir()
    list(keep_private(home))
    (home / "inside").write_text(CONTENT, encoding="utf-8")
    assert reached_by_other_user(home) == []
