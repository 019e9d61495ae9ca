"""Passwords and keys: random, private, and never shown."""

import stat
from dataclasses import asdict, replace
from pathlib import Path

import pytest

from cv_yolo.errors import ConfigError
from cv_yolo_stack.configuration.credentials import NAMES, keep_credentials, new_credentials, read_credentials


def secrets_of(credentials: object) -> list[str]:
    return [value for name, value in asdict(credentials).items() if name not in NAMES]  # type: ignore[call-overload]


def test_new_ones_are_random_and_long_enough_to_be_no_ones_guess() -> None:
    first, second = secrets_of(new_credentials()), secrets_of(new_credentials())
    assert not set(first) & set(second)
    assert len(set(first)) == len(first)
    assert min(map(len, first)) >= 24


def test_they_are_kept_in_a_file_of_their_owners_alone(tmp_path: Path) -> None:
    path, credentials = tmp_path / "new" / "credentials.json", new_credentials()
    assert read_credentials(path) is None
    keep_credentials(path, credentials)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert read_credentials(path) == credentials


def test_a_file_that_others_can_read_is_refused_with_the_command_that_fixes_it(tmp_path: Path) -> None:
    path = tmp_path / "credentials.json"
    keep_credentials(path, new_credentials())
    path.chmod(0o640)
    with pytest.raises(ConfigError, match="others can read it") as caught:
        read_credentials(path)
    assert caught.value.hint == f"chmod 600 {path}"


@pytest.mark.parametrize("text", ["{", "[]", '{"store_access_key": "a"}', '{"unknown": 1}'])
def test_a_damaged_file_is_named_and_not_replaced(tmp_path: Path, text: str) -> None:
    path = tmp_path / "credentials.json"
    path.write_text(text, encoding="utf-8")
    path.chmod(0o600)
    with pytest.raises(ConfigError, match=r"credentials\.json: cannot be read"):
        read_credentials(path)
    assert path.read_text(encoding="utf-8") == text


def test_no_secret_is_in_the_repr_or_in_shown_text() -> None:
    credentials = new_credentials()
    text = " ".join(asdict(credentials).values())
    for secret in secrets_of(credentials):
        assert secret not in repr(credentials)
        assert secret not in credentials.without_secrets(text)
    assert credentials.without_secrets("admin logs in") == "admin logs in"
    assert replace(credentials, zenml_password="s3cret").without_secrets("with s3cret!") == "with •••!"
