"""The manifest of a backup: one form, in which a single changed character is found."""

import json
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cv_yolo.errors import InputError
from cv_yolo_stack.domain.backup_manifest import BackupManifest, Kept, manifest_of, read_manifest, unlike

NOW = datetime(2026, 11, 26, 1, 2, 3, tzinfo=UTC)
HASH = "ab" * 32


def kept(place: str = "home/audit/m.jsonl", size_bytes: int = 3, sha256: str = HASH) -> Kept:
    return Kept(place=place, size_bytes=size_bytes, sha256=sha256)


def a_manifest_of_a_backup(*places: str) -> BackupManifest:
    found = [kept(place) for place in places or ("home/audit/m.jsonl", "objects/mlflow/1/süß//odd key")]
    return manifest_of(found, made_at=NOW, home="/home/anna/.cv-yolo", software={"zenml": "0.98.0", "mlflow": "3.17.2"})


def test_written_data_are_read_back() -> None:
    manifest = a_manifest_of_a_backup()
    assert read_manifest(manifest.text) == manifest
    assert manifest.text.isascii()


def test_the_hash_covers_the_whole_manifest() -> None:
    assert a_manifest_of_a_backup().sha256 != a_manifest_of_a_backup("home/audit/m.jsonl").sha256
    assert json.loads(a_manifest_of_a_backup().text)["sha256"] == a_manifest_of_a_backup().sha256


@given(at=st.integers(min_value=0), to=st.integers(min_value=0, max_value=127))
def test_any_changed_character_is_found(at: int, to: int) -> None:
    text = a_manifest_of_a_backup().text
    at %= len(text)
    if text[at] == chr(to):
        return
    with pytest.raises((ValueError, InputError), match=r"manifest of a backup|was changed|newer version"):
        read_manifest(text[:at] + chr(to) + text[at + 1 :])


@given(length=st.integers(min_value=0))
def test_any_truncation_is_found(length: int) -> None:
    text = a_manifest_of_a_backup().text
    with pytest.raises(ValueError, match=r"manifest of a backup|was changed"):
        read_manifest(text[: length % len(text)])


def test_a_later_format_is_not_reported_as_damage() -> None:
    text = a_manifest_of_a_backup().text.replace('"format": 1', '"format": 2')
    with pytest.raises(InputError, match=r"made by a newer version \(format 2; this version reads up to 1\)"):
        read_manifest(text)


@settings(max_examples=40, deadline=None)
@given(
    st.recursive(
        st.none() | st.integers() | st.text(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)
    )
)
def test_other_json_is_not_a_manifest(said: object) -> None:
    with pytest.raises(ValueError, match="not the manifest of a backup"):
        read_manifest(json.dumps(said))


@pytest.mark.parametrize(
    "place",
    [
        "",
        "home",
        "home/",
        "elsewhere/x",
        "home/../x",
        "home//x",
        "home/./x",
        "/etc/passwd",
        "project/a/../../b",
        "home/a\0b",
    ],
)
def test_no_place_leads_out_of_its_area(place: str) -> None:
    with pytest.raises(ValueError, match=r"place|path"):
        kept(place)


def test_an_object_may_have_any_key() -> None:
    odd = kept("objects/mlflow/../a//b")
    assert (odd.area, odd.path) == ("objects", "mlflow/../a//b")


@pytest.mark.parametrize(("size_bytes", "sha256"), [(-1, HASH), (1, "AB" * 32), (1, HASH + "\n"), (1, "../" + HASH)])
def test_a_size_and_a_hash_are_what_they_say(size_bytes: int, sha256: str) -> None:
    with pytest.raises(ValueError, match="SHA-256"):
        kept(size_bytes=size_bytes, sha256=sha256)


def test_places_are_unique() -> None:
    with pytest.raises(ValueError, match="not unique"):
        a_manifest_of_a_backup("home/a", "home/a")


def test_its_time_is_in_utc() -> None:
    with pytest.raises(ValueError, match="in UTC"):
        manifest_of([], made_at=NOW.astimezone(timezone(timedelta(hours=1))), home="/", software={})


def test_it_says_what_it_holds() -> None:
    manifest = a_manifest_of_a_backup("home/services/credentials.json", "home/a", "objects/dvc/x")
    assert manifest.has_servers
    assert not a_manifest_of_a_backup().has_servers
    assert manifest.size_bytes == 9
    assert [each.place for each in manifest.area("home")] == ["home/a", "home/services/credentials.json"]
    assert manifest.find("objects/dvc/x") is not None
    assert manifest.find("objects/dvc/y") is None


def test_other_versions_of_what_reads_the_records_are_named() -> None:
    manifest = a_manifest_of_a_backup()
    assert unlike(manifest, {"zenml": "0.98.0", "mlflow": "3.17.2", "cv-yolo": "9"}) == ()
    assert unlike(manifest, {"zenml": "0.99.0"}) == ("zenml 0.98.0 (here: 0.99.0)", "mlflow 3.17.2 (here: none)")


@pytest.mark.parametrize("format_", [0, -1])
def test_a_format_that_never_was_is_damage(format_: int) -> None:
    text = a_manifest_of_a_backup().text.replace('"format": 1', f'"format": {format_}')
    with pytest.raises(ValueError, match="no format"):
        read_manifest(text)
