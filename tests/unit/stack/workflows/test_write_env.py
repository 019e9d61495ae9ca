"""`.env`: written once, for its owner alone; completed without losing anything; checked before the servers start."""

import secrets
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from cv_yolo.errors import ConfigError, NotFoundError
from cv_yolo_stack.domain.env_file import settings_of
from cv_yolo_stack.workflows.write_env import add_missing, check_env, write_env

EXAMPLE = "USER=admin\nPASSWORD=change-me\n"


@pytest.fixture
def root(tmp_path: Path) -> Path:
    (tmp_path / ".env.example").write_text(EXAMPLE, encoding="utf-8")
    return tmp_path


def new_secret() -> str:
    return secrets.token_hex(20)


def test_a_new_file_is_its_owners_alone_and_passes_the_check(root: Path) -> None:
    path = write_env(root, new_secret=new_secret)
    assert path == root / ".env"
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    check_env(root)


def test_an_existing_file_is_replaced_only_with_force(root: Path) -> None:
    path = write_env(root, new_secret=new_secret)
    before = path.read_text(encoding="utf-8")
    with pytest.raises(ConfigError, match="already exists") as caught:
        write_env(root, new_secret=new_secret)
    assert caught.value.hint is not None
    assert "--add-missing" in caught.value.hint
    assert path.read_text(encoding="utf-8") == before
    write_env(root, new_secret=new_secret, force=True)
    assert path.read_text(encoding="utf-8") != before


def test_new_settings_of_the_example_are_added_and_the_rest_kept(root: Path) -> None:
    path = write_env(root, new_secret=new_secret)
    before = settings_of(path.read_text(encoding="utf-8"))
    (root / ".env.example").write_text(f"{EXAMPLE}TOKEN=change-me\nPORT=1\n", encoding="utf-8")
    assert add_missing(root, new_secret=new_secret) == ("TOKEN", "PORT")
    after = settings_of(path.read_text(encoding="utf-8"))
    assert after.items() >= before.items()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert add_missing(root, new_secret=new_secret) == ()
    check_env(root)


def test_the_examples_own_values_are_refused(root: Path) -> None:
    (root / ".env").write_text(EXAMPLE, encoding="utf-8")
    (root / ".env").chmod(0o600)
    with pytest.raises(ConfigError, match=r"^\.env: PASSWORD has the example's value$"):
        check_env(root)


def test_a_file_that_others_may_read_is_refused(root: Path) -> None:
    write_env(root, new_secret=new_secret).chmod(0o640)
    with pytest.raises(ConfigError, match=r"other users can read it \(`chmod 600 \.env`\)"):
        check_env(root)


def test_an_environment_is_checked_instead_of_the_file(root: Path) -> None:
    check_env(root, environment={"USER": "admin", "PASSWORD": new_secret()})
    with pytest.raises(ConfigError, match="USER is missing; PASSWORD has the example's value"):
        check_env(root, environment={"PASSWORD": "change-me"})


def test_without_the_example_the_folder_is_wrong(tmp_path: Path) -> None:
    with pytest.raises(NotFoundError, match=r"\.env\.example: no such file") as caught:
        write_env(tmp_path, new_secret=new_secret)
    assert (
        caught.value.hint
        == "run this next to compose.yaml: the Docker setup is in zenml-cv-yolo's repository, not in its package"
    )


@pytest.mark.parametrize("ask", [check_env, lambda root: add_missing(root, new_secret=new_secret)])
def test_without_the_file_there_is_nothing_to_check_or_to_complete(root: Path, ask: Callable[[Path], object]) -> None:
    with pytest.raises(NotFoundError, match=r"\.env: no such file"):
        ask(root)


def test_a_file_that_is_not_text_is_an_input_error(root: Path) -> None:
    (root / ".env").write_bytes(b"\xff\xfe")
    with pytest.raises(ConfigError, match=r"\.env: cannot be read"):
        check_env(root)
