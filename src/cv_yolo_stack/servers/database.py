"""The database of a local stack: MariaDB as a process, or an external MySQL server."""

import os
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cv_yolo.domain.stack import DatabaseAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.files import write_secret
from cv_yolo_stack.configuration.choice import DatabaseKind
from cv_yolo_stack.configuration.local_stack import DATABASES, LocalStack
from cv_yolo_stack.configuration.programs import find, find_mariadb, required
from cv_yolo_stack.servers.service import Service, clean_environment

if TYPE_CHECKING:
    from cv_yolo_stack.container import StackContainer

NAME: Final = "database"
INSTALL: Final = "install MariaDB's server (Debian: mariadb-server), or start a stack with --database sqlite"
INSTALL_WITHIN_S: Final = 120


def database(stack: LocalStack, container: "StackContainer") -> Service | None:
    """The database server, usable once its user can work in both databases; None where SQLite files do."""
    kind = stack.choice.database
    if kind is DatabaseKind.SQLITE:
        return None
    host, port = stack.choice.database_place
    url = f"mysql://{host}:{port}"
    if kind is DatabaseKind.EXTERNAL:
        return Service(
            name=NAME,
            title="database (external)",
            url=url,
            use=lambda: _make_and_use(stack, container),
            probe=lambda: _read(stack, container),
        )
    program = required(find_mariadb(), "mariadbd", INSTALL)
    return Service(
        name=NAME,
        title="database (MariaDB)",
        url=url,
        use=lambda: _use(stack, container),
        probe=lambda: _read(stack, container),
        prepare=lambda: _prepare(stack, container),
        command=_command(program, stack),
        environment=_environment(stack),
        ports={"database": port},
        grace_s=30.0,
    )


def _use(stack: LocalStack, container: "StackContainer") -> None:
    for name in DATABASES:
        container.sql_database(_address(stack, name)).use()


def _read(stack: LocalStack, container: "StackContainer") -> None:
    for name in DATABASES:
        container.sql_database(_address(stack, name)).version()


def _make_and_use(stack: LocalStack, container: "StackContainer") -> None:
    container.sql_database(_address(stack, "")).make_databases(DATABASES)
    _use(stack, container)


def _address(stack: LocalStack, name: str) -> DatabaseAddress:
    address = stack.database(name)
    assert address is not None, "asked of a stack with a database server only"
    return address


def _command(program: Path, stack: LocalStack) -> tuple[str, ...]:
    data = _data(stack)
    return (
        *(str(program), "--no-defaults", *_account(), f"--datadir={data}", f"--init-file={_grants(stack)}"),
        *(f"--port={stack.choice.ports.database}", f"--bind-address={stack.choice.host}", "--skip-name-resolve"),
        "--socket=mariadb.sock",  # relative to the data folder: an absolute path may be too long for a socket
        *(f"--pid-file={data / 'mariadb.pid'}", "--character-set-server=utf8mb4"),
        *("--collation-server=utf8mb4_general_ci", "--innodb-buffer-pool-size=256M"),
        *("--local-infile=0", f"--secure-file-priv={data / 'no_files'}"),
    )


def _prepare(stack: LocalStack, container: "StackContainer") -> None:
    """Make the system tables once, and write down what the server runs at its start: databases, one user, no more."""
    data = _data(stack)
    _scratch(stack).mkdir(parents=True, exist_ok=True)
    if not (data / "mysql").is_dir():
        _install(data, stack.folder.log(NAME), _environment(stack))
    (data / "no_files").mkdir(exist_ok=True)
    write_secret(_grants(stack), container.sql_database(_address(stack, "")).startup_script(DATABASES))


def _install(data: Path, log: Path, environment: Mapping[str, str]) -> None:
    """Into a folder next to it first: half a set of system tables would never start."""
    program = required(find("mariadb-install-db"), "mariadb-install-db", INSTALL)
    scrap = data.with_name(f"{data.name}.new")
    shutil.rmtree(scrap, ignore_errors=True)
    scrap.mkdir(parents=True)
    command = (
        str(program),
        "--no-defaults",
        *_account(),
        f"--datadir={scrap}",
        "--skip-test-db",
        "--skip-name-resolve",
    )
    with log.open("ab") as out:
        done = subprocess.run(
            [*command, "--auth-root-authentication-method=socket"],
            stdout=out,
            stderr=subprocess.STDOUT,
            stdin=subprocess.DEVNULL,
            env=environment,
            timeout=INSTALL_WITHIN_S,
            check=False,  # raised below; what it wrote is in the log, whose end is shown
        )
    if done.returncode:
        raise ServiceUnavailableError(f"mariadb-install-db exited with code {done.returncode}")
    scrap.replace(data)


def _account() -> tuple[str, ...]:
    """The server refuses to run as root without an explicit option; for other users it runs as that user."""
    return ("--user=root",) if os.geteuid() == 0 else ()


def _environment(stack: LocalStack) -> dict[str, str]:
    """With a folder for its temporary tables alone: a server that starts removes all that it finds in a common one."""
    return clean_environment() | {"TMPDIR": str(_scratch(stack))}


def _scratch(stack: LocalStack) -> Path:
    return stack.folder.data("database_scratch")


def _data(stack: LocalStack) -> Path:
    return stack.folder.data(NAME)


def _grants(stack: LocalStack) -> Path:
    return stack.folder.data("database_grants.sql")
