"""What ZenML's server tells of pipeline runs, artifacts, model versions, and the audit log among them."""

from collections.abc import Callable, Iterator
from typing import Any, Final, Protocol

from cv_yolo.domain.audit import Entry
from cv_yolo.domain.census import AUDIT, as_told, entry_name, hash_of
from cv_yolo.domain.written_entry import read_entry

PAGE: Final = 100
LOG: Final = "audit_log_"

Tellings = dict[str, dict[str, str]]


class Server(Protocol):
    """Who asks ZenML's server, and is answered."""

    def done(self, method: str, path: str, json: Any = None) -> Any:
        """The body of the server's answer."""


class ZenmlCensus:
    """Takes the census of one server; `steady` takes out of what is told what differs from place to place."""

    def __init__(self, server: Server, *, steady: Callable[[str], str] = as_told) -> None:
        self._server, self._steady = server, steady

    def take(self) -> Tellings:
        """A hash for each pipeline run, each version of an artifact and of a model, and each entry of an audit log."""
        runs = {each["id"]: self._hash(each) for each in self._all("/runs")}
        artifacts = {each["id"]: self._hash(each) for each in self._all("/artifact_versions")}
        versions: dict[str, str] = {}
        entries: dict[str, str] = {}
        for each in self._all("/model_versions"):
            model = each["body"]["model"]["name"]
            versions[f"{model} {each['name']}"] = self._hash(each)
            entry = _entry(each, model)
            if entry is not None:
                entries[entry_name(entry.model, entry.number)] = entry.sha256
        return {
            "ZenML pipeline runs": runs,
            "ZenML artifact versions": artifacts,
            "ZenML model versions": versions,
            AUDIT: entries,
        }

    def _hash(self, told: dict[str, Any]) -> str:
        """Of what it is itself; what it refers to (`resources`) is told on its own."""
        return hash_of([told["id"], told.get("name"), told["body"], told.get("metadata")], self._steady)

    def _all(self, path: str) -> Iterator[dict[str, Any]]:
        index, pages = 1, 1
        while index <= pages:
            page = self._server.done("GET", f"{path}?size={PAGE}&page={index}&hydrate=true&sort_by=asc:created")
            yield from page["items"]
            index, pages = index + 1, int(page["total_pages"])


def _entry(version: dict[str, Any], model: str) -> Entry | None:
    """The entry that a version of an audit log is; None for other models, and for what is no entry."""
    if not model.startswith(LOG):
        return None
    try:
        return read_entry(str((version.get("metadata") or {}).get("description")))
    except ValueError:
        return None
