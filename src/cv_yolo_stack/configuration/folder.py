"""Where everything of the servers that run on this machine is kept, all of it private to its owner."""

from dataclasses import dataclass
from pathlib import Path

from cv_yolo.files import private_folder
from cv_yolo.settings import Settings


@dataclass(frozen=True, slots=True, kw_only=True)
class StackFolder:
    """The folder of one local stack."""

    root: Path

    @property
    def choice(self) -> Path:
        """Which servers, and where they listen; no secret."""
        return self.root / "stack.json"

    @property
    def credentials(self) -> Path:
        """All passwords and keys, mode 0600."""
        return self.root / "credentials.json"

    @property
    def state(self) -> Path:
        """The servers' state, written by their supervisor."""
        return self.root / "state.json"

    @property
    def requests(self) -> Path:
        """Restart requests for the supervisor, one file per service."""
        return self.root / "requests"

    @property
    def lock(self) -> Path:
        """Held by `cv-yolo up` while it starts the servers."""
        return self.root / "up.lock"

    @property
    def supervisor_lock(self) -> Path:
        """Held by the supervisor as long as it lives."""
        return self.root / "supervisor.lock"

    @property
    def logs(self) -> Path:
        """The logs of the services and their supervisor."""
        return self.root / "logs"

    def log(self, service: str) -> Path:
        """The log of one of them."""
        return self.logs / f"{service}.log"

    def data(self, service: str) -> Path:
        """The data of a service."""
        return self.root / "data" / service

    @property
    def has_data(self) -> bool:
        """Whether a server has kept something here."""
        return (self.root / "data").exists()

    def make(self) -> None:
        """Make the folder, private."""
        private_folder(self.root)


def folder_of(settings: Settings) -> StackFolder:
    """The folder of the project's local stack."""
    return StackFolder(root=settings.services)
