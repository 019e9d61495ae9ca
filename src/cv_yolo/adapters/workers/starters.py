"""How child processes are started: the interface, and the plain way, a new process for each."""

import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import IO, Protocol


class Child(Protocol):
    """A child process, as its supervisor sees it; the methods are those of `subprocess.Popen`."""

    def poll(self) -> int | None:
        """The exit code, negative for a signal; None while the child runs."""

    def wait(self, timeout: float | None = None) -> int:
        """The exit code, once the child has exited; raises `subprocess.TimeoutExpired`."""

    def terminate(self) -> None:
        """Ask the child to exit."""

    def kill(self) -> None:
        """Kill the child."""

    def close(self) -> None:
        """Close the child's standard input."""


class Starter(Protocol):
    """Starts child processes."""

    def start(self, folder: Path, log: IO[bytes]) -> Child:
        """Start the child that does what `folder` asks for; what it prints goes to `log`."""


class SpawnedChild(subprocess.Popen[bytes]):
    """A child that is a new process."""

    def close(self) -> None:
        """Close the child's standard input."""
        if self.stdin is not None:
            self.stdin.close()


class NewProcess:
    """Starts each child as a new process: `command`, with the folder appended."""

    def __init__(self, *, command: Sequence[str], environment: Mapping[str, str]) -> None:
        self._command, self._environment = tuple(command), dict(environment)

    def start(self, folder: Path, log: IO[bytes]) -> SpawnedChild:
        """Start the child."""
        return SpawnedChild(
            [*self._command, str(folder)],
            stdin=subprocess.PIPE,
            stdout=log,
            stderr=subprocess.STDOUT,
            env=self._environment,
            start_new_session=True,
            umask=0o077,  # it writes in the home only
        )
