"""MariaDB and MySQL: a dump as of one moment, and the way back; passwords are in a file of mode 0600, never in `ps`."""

import subprocess
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

from cv_yolo.domain.stack import DatabaseAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.files import write_secret
from cv_yolo_stack.configuration.programs import find, required
from cv_yolo_stack.servers.service import clean_environment

INSTALL: Final = "install MariaDB's client (Debian: mariadb-client), or MySQL's"
LAST_LINE: Final = b"-- Dump completed"
TAIL_BYTES: Final = 200
OPTIONS: Final = (
    *("--single-transaction", "--skip-lock-tables", "--routines", "--triggers", "--hex-blob"),
    *("--default-character-set=utf8mb4", "--no-tablespaces"),
)


def require_dumper() -> Path:
    """The program that dumps; raises `NotFoundError` where none is installed."""
    return required(find("mariadb-dump") or find("mysqldump"), "mariadb-dump", INSTALL)


def require_loader() -> Path:
    """The program that loads; raises `NotFoundError` where none is installed."""
    return required(find("mariadb") or find("mysql"), "mariadb", INSTALL)


def dump(address: DatabaseAddress, names: Sequence[str], target: Path) -> None:
    """Write these databases, all as of the same moment, while others write to them."""
    program = require_dumper()
    with _login(address) as login, target.open("wb") as out:
        command = [str(program), login, *OPTIONS, "--databases", *names]
        done = subprocess.run(
            command,
            stdout=out,
            stderr=subprocess.PIPE,
            stdin=subprocess.DEVNULL,
            env=clean_environment(),
            check=False,  # raised below with what it wrote, and where the end of the dump is missing
        )
    with target.open("rb") as file:
        file.seek(max(0, target.stat().st_size - TAIL_BYTES))
        whole = LAST_LINE in file.read()
    if done.returncode or not whole:
        raise _failed("cannot be dumped", address, done.stderr)


def load(address: DatabaseAddress, source: Path) -> None:
    """Make the databases that were dumped, as they were."""
    program = require_loader()
    with _login(address) as login, source.open("rb") as dumped:
        done = subprocess.run(
            [str(program), login, "--default-character-set=utf8mb4", "--batch"],
            stdin=dumped,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.PIPE,
            env=clean_environment(),
            check=False,  # raised below with what it wrote
        )
    if done.returncode:
        raise _failed("rejected the dump", address, done.stderr)


@contextmanager
def _login(address: DatabaseAddress) -> Iterator[str]:
    """An option that names a file with the login, there as long as it is needed."""
    values = {"host": address.host, "port": str(address.port), "user": address.user, "password": address.password}
    lines = ["[client]", *(f'{name}="{_escaped(value)}"' for name, value in values.items()), "protocol=tcp"]
    with TemporaryDirectory() as folder:
        path = Path(folder) / "login.cnf"
        write_secret(path, "\n".join(lines) + "\n")
        yield f"--defaults-file={path}"


def _escaped(value: str) -> str:
    return value.replace("\\", "\\\\").replace('"', '\\"')


def _failed(what: str, address: DatabaseAddress, said: bytes) -> ServiceUnavailableError:
    lines = said.decode(errors="replace").strip().splitlines()
    reason = lines[-1] if lines else "the dump is incomplete"
    return ServiceUnavailableError(
        f"the databases at {address.host}:{address.port} {what}: {reason}", hint="`cv-yolo doctor database` shows more"
    )
