"""Where ZenML and MLflow keep their records, whatever the database: table by kind, and which of its rows count."""

from typing import Final

from cv_yolo_stack.ports.databases import RecordKind

TABLES: Final = {
    RecordKind.MLFLOW_RUN: "runs",
    RecordKind.MLFLOW_MODEL_VERSION: "model_versions",
    RecordKind.ZENML_PIPELINE_RUN: "pipeline_run",
    RecordKind.ZENML_ARTIFACT: "artifact_version",
    RecordKind.ZENML_MODEL_VERSION: "model_version",
}
OF_NO_PROBE: Final = (
    " WHERE lifecycle_stage = 'active' OR experiment_id NOT IN"
    " (SELECT experiment_id FROM experiments WHERE name LIKE 'cv_yolo_probe%')"
)
COUNTS: Final = {
    kind: f"SELECT COUNT(*) FROM {table}" + (OF_NO_PROBE if kind is RecordKind.MLFLOW_RUN else "")  # noqa: S608 - our own names
    for kind, table in TABLES.items()
}


def content_of(row: tuple[object, ...] | None) -> bytes:
    """The only value of a row, text or bytes; empty without a row."""
    value = row[0] if row else b""
    return value if isinstance(value, bytes) else str(value or "").encode()
