"""Settings as lines: read as Docker Compose reads them, filled from an example, and checked."""

from itertools import count

import pytest

from cv_yolo_stack.domain.env_file import PLACEHOLDER, faults, filled, settings_of

EXAMPLE = """# Who
USER=admin
PASSWORD=change-me

KEY=change-me
EMPTY=
"""
GOOD = {"USER": "admin", "PASSWORD": "0123456789abcdef", "KEY": "fedcba9876543210"}


def fill(known: dict[str, str] | None = None) -> str:
    numbers = count(1)
    return filled(EXAMPLE, known=known or {}, new_secret=lambda: f"secret-{next(numbers)}")


def test_each_placeholder_becomes_a_separate_secret_and_the_rest_is_unchanged() -> None:
    expected = EXAMPLE.replace("PASSWORD=change-me", "PASSWORD=secret-1").replace("KEY=change-me", "KEY=secret-2")
    assert fill() == expected


def test_known_settings_are_kept_and_unknown_ones_appended() -> None:
    text = fill({"PASSWORD": "mine", "EMPTY": "full", "EXTRA": "1"})
    known = {"USER": "admin", "PASSWORD": "mine", "KEY": "secret-1", "EMPTY": "full", "EXTRA": "1"}
    assert settings_of(text) == known
    assert text.endswith("\n\n# Not in the example\nEXTRA=1\n")


def test_filling_twice_changes_nothing() -> None:
    once = fill()
    assert fill(settings_of(once)) == once


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("A=b", {"A": "b"}),
        (" A = b ", {"A": "b"}),
        ('A="b c"', {"A": "b c"}),
        ("A='b'", {"A": "b"}),
        ("A='b", {"A": "'b"}),
        ('A="', {"A": '"'}),
        ("A=b=c", {"A": "b=c"}),
        ("A=", {"A": ""}),
        ("# A=b", {}),
        ("nonsense", {}),
        ("A=1\nA=2", {"A": "2"}),
    ],
)
def test_a_line_is_a_name_and_a_value(line: str, expected: dict[str, str]) -> None:
    assert settings_of(line) == expected


def test_good_settings_have_no_fault() -> None:
    assert faults(EXAMPLE, GOOD) == ()


@pytest.mark.parametrize(
    ("name", "value", "sentence"),
    [
        ("PASSWORD", PLACEHOLDER, "PASSWORD has the example's value"),
        ("PASSWORD", "", "PASSWORD is missing"),
        ("USER", "", "USER is missing"),
        ("PASSWORD", "hunter2", "PASSWORD is shorter than 12 characters"),
        ("PASSWORD", "0123456789@/abc", "PASSWORD may only contain letters, digits and . _ ~ -"),
        ("PASSWORD", "0123456789$HOME", "PASSWORD may only contain letters, digits and . _ ~ -"),
    ],
)
def test_a_fault_names_the_setting_and_never_its_value(name: str, value: str, sentence: str) -> None:
    (found,) = faults(EXAMPLE, GOOD | {name: value})
    assert found.startswith(sentence)
    assert not value or value not in found


def test_all_faults_are_reported_at_once() -> None:
    assert len(faults(EXAMPLE, {})) == 3
