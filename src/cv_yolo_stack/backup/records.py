"""The embedded records in another home: they name their files by absolute paths, which have to follow."""

import json
from pathlib import Path
from typing import Final

from cv_yolo.files import write_secret, write_whole
from cv_yolo_stack.backup.snapshot_source import ZENML_RECORDS
from cv_yolo_stack.domain.backup_manifest import relocation
from cv_yolo_stack.ports.databases import DatabaseFiles

RECORDS: Final = ("mlflow/mlflow.db", ZENML_RECORDS)
ZENML_CONFIGURATION: Final = "zenml/config.yaml"


def adapt_records(made: Path, databases: DatabaseFiles, *, former: str, home: Path) -> None:
    """Let the records in the folder `made` name the files of `home`, where they will be, not the former home's."""
    if former == str(home):
        return
    moved = relocation(former, str(home))
    for record in RECORDS:
        if (made / record).is_file():
            databases.rewrite_text(made / record, moved)
    configuration = made / ZENML_CONFIGURATION
    if configuration.is_file():
        write_whole(configuration, moved(configuration.read_text(encoding="utf-8")))


def adapt_connection(connection: Path, *, former_url: str, url: str) -> None:
    """Let a connection to the stack's own server name its new address; the key stays what it is."""
    if not connection.is_file():
        return
    kept = json.loads(connection.read_text(encoding="utf-8"))
    if kept.get("url") == former_url:
        write_secret(connection, json.dumps(kept | {"url": url}, indent=1))
