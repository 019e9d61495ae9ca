"""A home says which form its files have: an earlier one is migrated, a newer one is refused."""

import json
from pathlib import Path

import pytest
from pydantic import TypeAdapter

from cv_yolo.adapters.files.home import FILE, HOME_SCHEMA, MIGRATIONS, migrate, schema_of
from cv_yolo.adapters.files.weights import FinishedTrainingsFolder
from cv_yolo.domain.training.specs import FinishedTraining, TrainedModel
from cv_yolo.errors import ConfigError
from tests.builders import a_trained_model

FINGERPRINT = "f" * 64


def test_a_new_home_has_the_current_schema_and_is_not_migrated(tmp_path: Path) -> None:
    migrate(tmp_path)
    assert schema_of(tmp_path) == HOME_SCHEMA
    written = (tmp_path / FILE).stat().st_mtime_ns
    migrate(tmp_path)
    assert (tmp_path / FILE).stat().st_mtime_ns == written
    assert [path.name for path in tmp_path.iterdir()] == [FILE]


def test_there_is_a_migration_from_every_earlier_schema() -> None:
    assert list(MIGRATIONS) == list(range(1, HOME_SCHEMA))


def test_a_home_that_cannot_be_created_is_reported_by_the_code_that_needs_it(tmp_path: Path) -> None:
    migrate(tmp_path / "missing")
    assert not (tmp_path / "missing").exists()


def test_a_finished_training_of_schema_1_is_found_after_the_migration(tmp_path: Path) -> None:
    model = a_trained_model(tmp_path)
    finished = FinishedTrainingsFolder(records=tmp_path / "trained", weights=tmp_path / "weights")
    finished.keep(FINGERPRINT, FinishedTraining(model=model))
    record = tmp_path / "trained" / f"{FINGERPRINT}.json"
    record.write_bytes(TypeAdapter(TrainedModel).dump_json(model))
    (tmp_path / "trained" / "torn.json").write_bytes(b'{"spec"')
    migrate(tmp_path)
    found = finished.find(FINGERPRINT)
    assert found is not None
    assert (found.model.run_id, found.artifacts) == (model.run_id, ())


def test_an_interrupted_migration_is_completed(tmp_path: Path) -> None:
    (tmp_path / "trained").mkdir()
    for name, record in (("a", {"run_id": "1"}), ("b", {"model": {"run_id": "2"}, "artifacts": []})):
        (tmp_path / "trained" / f"{name}.json").write_text(json.dumps(record), encoding="utf-8")
    migrate(tmp_path)
    records = [json.loads(path.read_text(encoding="utf-8")) for path in sorted((tmp_path / "trained").iterdir())]
    assert records == [{"model": {"run_id": number}, "artifacts": []} for number in ("1", "2")]


def test_a_home_of_a_newer_version_is_refused_and_left_alone(tmp_path: Path) -> None:
    (tmp_path / FILE).write_text(json.dumps({"schema": HOME_SCHEMA + 1}), encoding="utf-8")
    with pytest.raises(ConfigError, match=rf"written by a newer version \(schema {HOME_SCHEMA + 1}; .* {HOME_SCHEMA}"):
        migrate(tmp_path)
    assert schema_of(tmp_path) == HOME_SCHEMA + 1


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b'{"schema": null}', b'{"schema": "new"}'])
def test_a_schema_that_cannot_be_read_is_an_error(tmp_path: Path, content: bytes) -> None:
    (tmp_path / FILE).write_bytes(content)
    with pytest.raises(ConfigError, match="not a schema version"):
        migrate(tmp_path)
