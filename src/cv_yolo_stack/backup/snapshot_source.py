"""Where snapshots come from: the servers themselves, through the APIs that clients use."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from cv_yolo.domain.stack import PipelineServerAddress, StackAddresses, TrackingAddress
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.http import ask
from cv_yolo.settings import Settings
from cv_yolo_stack.backup.running import running
from cv_yolo_stack.configuration.folder import StackFolder
from cv_yolo_stack.domain.backup_manifest import relocation
from cv_yolo_stack.domain.snapshot import AUDIT, entry_name
from cv_yolo_stack.servers.pages import Page, free_port, mlflow_page, zenml_page
from cv_yolo_stack.servers.service import Service

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

TakeSnapshot = Callable[[], dict[str, dict[str, str]]]
HOME: Final = "/home-of-the-project"
ZENML_RECORDS: Final = "zenml/local_stores/default_zen_store/zenml.db"
OTHERS_KEYS: Final = {"ZENML_STORE_API_KEY"}  # of a server that this machine is connected to
ANONYMOUS: Final = "default"  # ZenML's user where no login is required


@dataclass(frozen=True, slots=True, kw_only=True)
class SnapshotSource:
    """The servers of a snapshot: all they hold, and MLflow's files."""

    take: TakeSnapshot
    tracking: TrackingAddress


def source_of_servers(container: "StackContainer", addresses: StackAddresses) -> SnapshotSource:
    """The servers of a stack."""
    tracking, pipelines = (
        container.tracking_snapshot(addresses.tracking),
        container.pipeline_snapshot(addresses.pipelines),
    )
    return SnapshotSource(take=lambda: {**tracking.take(), **pipelines.take()}, tracking=addresses.tracking)


@contextmanager
def source_of_records(container: "StackContainer", settings: Settings, folder: StackFolder) -> Iterator[SnapshotSource]:
    """The embedded records of a project, read through temporary servers inside the block."""
    if not settings.mlflow_database.is_file():
        raise NotFoundError("nothing is recorded yet", hint="`cv-yolo grid --config configs/demo.yaml`")
    steady = relocation(str(settings.home), HOME)
    pages = [mlflow_page(settings, free_port(0))]
    if (settings.home / ZENML_RECORDS).is_file():
        pages.append(zenml_page(settings, free_port(0)))
    tracking_address = TrackingAddress(uri=pages[0].url)
    takers: list[TakeSnapshot] = [container.tracking_snapshot(tracking_address, steady=steady).take]
    for page in pages[1:]:
        address = PipelineServerAddress(url=page.url, user=ANONYMOUS)
        takers.append(container.pipeline_snapshot(address, steady=steady).take)
    takers.append(lambda: {AUDIT: entries_in_files(container, settings)})
    with running([_service(page) for page in pages], folder):
        yield SnapshotSource(take=lambda: _merged(takers), tracking=tracking_address)


def entries_in_files(container: "StackContainer", settings: Settings) -> dict[str, str]:
    """The hash of each entry of the audit logs that are files."""
    return {
        entry_name(entry.model, entry.number): entry.sha256
        for path in sorted(settings.audit.glob("*.jsonl"))
        for entry in container.detector.records.audit_file(path).entries()
    }


def _merged(takers: list[TakeSnapshot]) -> dict[str, dict[str, str]]:
    hashes: dict[str, dict[str, str]] = {}
    for take in takers:
        hashes |= take()
    return hashes


def _service(page: Page) -> Service:
    def use() -> None:
        answer = ask("GET", f"{page.url}/health", name=page.name)
        if not answer.ok:
            raise ServiceUnavailableError(f"{page.name} returned {answer.status}")

    return Service(
        name=page.name.lower(),
        title=page.name,
        url=page.url,
        use=use,
        command=page.command,
        environment={name: value for name, value in page.environment.items() if name not in OTHERS_KEYS},
        ports={page.name.lower(): page.port},
    )
