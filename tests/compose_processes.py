"""The services of `compose.yaml` as processes of this machine: the declared commands, environments and health checks.

A container has its own address, files and programs; a bare machine has one of each. So this much is translated, and
nothing else:

    what is declared                      what stands for it here
    ------------------------------------  ------------------------------------------------------------------------
    a service's network                   a loopback address of its own, 127.a.b.n, with the declared ports
    HOST:PORT, with a service's name      that service's address
    localhost, 127.0.0.1, 0.0.0.0, :PORT  the address of the service in whose network the process is
    a named volume, a folder in memory    a folder under the test's own
    a folder of the project               that folder
    the image's programs                  the same programs on this machine, this project's environment first
    the image `mysql`, which hands its    `mariadbd` with that command; its first start does what the image's
      command to mysqld                     own first start does: root, one database, one user
    `minio`, where it is not installed    `rclone serve s3`

`MLFLOW_SERVER_ALLOWED_HOSTS` keeps its names: they are what is tested.
"""

import getpass
import os
import re
import secrets
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

from tests.compose_file import ROOT, Service, services

TIMEOUT_S = 180  # what the file itself gives ZenML and MLflow
POLL_S = 0.2
GRACE_S = 20
KEPT_AS_IT_IS = ("MLFLOW_SERVER_ALLOWED_HOSTS",)
PROGRAMS = {"minio": "CV_YOLO_MINIO"}  # a program, and the variable that may say where it is
OWN_ADDRESS = re.compile(r"(?<![\w.-])(?:localhost|127\.0\.0\.1|0\.0\.0\.0)(?![\w.-])|^(?=:\d+$)")


def program(name: str) -> str | None:
    """Where a program is; None where this machine lacks it."""
    return os.environ.get(PROGRAMS.get(name, "")) or shutil.which(name, path=_path())


def free_network() -> str:
    """The first two of four numbers of a loopback network that is unlikely to be in use."""
    return f"127.{secrets.randbelow(200) + 20}.{secrets.randbelow(250) + 2}"


@dataclass(kw_only=True)
class Processes:
    """The services whose profile is on, each as a process of its own; `folder` holds everything they write."""

    folder: Path
    variables: Mapping[str, str]
    network: str = field(default_factory=free_network)
    running: dict[str, subprocess.Popen[bytes]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        profiles = self.variables.get("COMPOSE_PROFILES", "").split(",")
        found = services(self.variables).items()
        self.services = {name: each for name, each in found if not each.profiles or set(profiles) & set(each.profiles)}
        owners = [name for name, each in self.services.items() if each.network == name]
        addresses = {name: f"{self.network}.{number}" for number, name in enumerate(owners, start=1)}
        self._by_name = {alias: addresses[name] for name in owners for alias in self.services[name].names}
        self._healthy: set[str] = set()
        self._next_check: dict[str, float] = {}
        project = self.folder / "project"  # the working folder of our own image
        project.mkdir(parents=True, exist_ok=True)
        shutil.copy(ROOT / ".env.example", project)

    def address(self, service: str) -> str:
        """Where a service's own network is."""
        return self._by_name.get(self.services[service].network, f"{self.network}.250")

    def up(self) -> None:
        """Start everything in the declared order, wait until all servers are healthy and all jobs have succeeded."""
        give_up = time.monotonic() + TIMEOUT_S
        while {name for name in self.services if not self._settled(name)}:
            for name, service in self.services.items():
                if name not in self.running and self._may_start(service):
                    self.start(name)
            if time.monotonic() > give_up:
                raise AssertionError(f"not ready in {TIMEOUT_S} s: {self._unsettled()}")
            time.sleep(POLL_S)

    def start(self, name: str) -> None:
        """Start one service, whatever it depends on."""
        service = self.services[name]
        with self.log(name).open("ab") as log:
            self.running[name] = subprocess.Popen(
                self._command(service),
                cwd=self._working_folder(service),
                env=self._environment(service),
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )

    def run(self, name: str, *, environment: Mapping[str, str] | None = None) -> int:
        """Run a job to its end; returns its exit code."""
        if environment is not None:
            self.services[name].declared["environment"] = dict(environment)
        self.start(name)
        return self.running[name].wait(TIMEOUT_S)

    def stop(self, name: str) -> None:
        """End one service as Docker does: asked first, with all that it started."""
        process = self.running.pop(name)
        self._healthy.discard(name)
        for how in (signal.SIGTERM, signal.SIGKILL):
            if process.poll() is None:
                os.killpg(process.pid, how)
            with suppress(subprocess.TimeoutExpired):
                process.wait(GRACE_S)

    def down(self) -> None:
        """End everything, the last first."""
        for name in reversed(list(self.running)):
            self.stop(name)

    def is_healthy(self, name: str) -> bool:
        """What the declared health check says."""
        service = self.services[name]
        if service.health is None:
            return False
        command = [self._translated(part, service) for part in service.health]
        with (self.folder / f"{name}.health.log").open("ab") as log:
            environment = self._environment(service)
            checked = subprocess.run(
                command,
                env=environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                timeout=30,
                check=False,  # unhealthy is an answer; its reason is in the log
            )
        return checked.returncode == 0

    def log(self, name: str) -> Path:
        """What a service wrote."""
        return self.folder / f"{name}.log"

    def path(self, name: str, inside: str) -> Path:
        """The folder or file that stands for a path of a service's container."""
        return Path(self._translated(inside, self.services[name]))

    def _may_start(self, service: Service) -> bool:
        """Whether all that it depends on has happened, and the network that it joins is there."""
        wanted = [each for each in service.dependencies if each.required or each.service in self.services]
        happened = {
            "service_started": lambda name: name in self.running,
            "service_healthy": lambda name: name in self._healthy,
            "service_completed_successfully": lambda name: name in self.running and self._ended_well(name),
        }
        joined = service.network in {service.name, "none", *self.running}
        return joined and all(happened[each.condition](each.service) for each in wanted)

    def _settled(self, name: str) -> bool:
        if name not in self.running:
            return False
        if self.services[name].health is None:
            return self._ended_well(name)
        if self.running[name].poll() is not None:
            raise AssertionError(f"{name} ended by itself:\n{self._tail(name)}")
        if name not in self._healthy and time.monotonic() >= self._next_check.get(name, 0.0):
            if self.is_healthy(name):
                self._healthy.add(name)
            interval_s = float(self.services[name].declared["healthcheck"]["start_interval"].removesuffix("s"))
            self._next_check[name] = time.monotonic() + interval_s
        return name in self._healthy

    def _ended_well(self, name: str) -> bool:
        code = self.running[name].poll()
        if code:
            raise AssertionError(f"{name} ended with exit code {code}:\n{self._tail(name)}")
        return code == 0

    def _unsettled(self) -> str:
        return "\n".join(f"{name}:\n{self._tail(name)}" for name in self.services if not self._settled(name))

    def _tail(self, name: str) -> str:
        found = [path for path in (self.log(name), self.folder / f"{name}.health.log") if path.is_file()]
        return "\n".join(path.read_text(encoding="utf-8", errors="replace")[-3000:] for path in found)

    def _environment(self, service: Service) -> dict[str, str]:
        """What is declared, and what every image has."""
        declared = {key: self._value(key, value, service) for key, value in service.environment.items()}
        if service.declared.get("env_file"):
            declared |= self.variables
        if service.command[0] == "minio" and program("minio") is None:
            login = ",".join((declared["MINIO_ROOT_USER"], declared["MINIO_ROOT_PASSWORD"]))
            declared |= {"RCLONE_AUTH_KEY": f'"{login}"', "RCLONE_CONFIG": os.devnull}
        return {"PATH": _path(), "HOME": str(self.folder / "home"), "LANG": "C.UTF-8"} | declared

    def _value(self, key: str, value: str, service: Service) -> str:
        if key in KEPT_AS_IT_IS:
            return value
        if key.endswith("_HOST") and value in self._by_name:
            return self._by_name[value]
        return self._translated(value, service)

    def _translated(self, text: str, service: Service) -> str:
        """Addresses and paths of a container, as they are on this machine."""
        names = "|".join(re.escape(name) for name in sorted(self._by_name, key=len, reverse=True))
        text = re.sub(rf"(?<![\w.-])(?:{names})(?=:\d+(?!\w))", lambda found: self._by_name[found[0]], text)
        text = OWN_ADDRESS.sub(self.address(service.name), text)
        places = self._places(service)
        inside = "|".join(re.escape(each) for each in sorted(places, key=len, reverse=True))
        return re.sub(rf"(?<![\w./])(?:{inside})(?=/|$)", lambda found: str(places[found[0]]), text) if places else text

    def _working_folder(self, service: Service) -> Path:
        declared = service.declared.get("working_dir")
        return Path(self._translated(declared, service)) if declared else self.folder / "project"

    def _places(self, service: Service) -> dict[str, Path]:
        """The folder here that stands for each that is mounted in the container."""
        places = {
            target: self.folder / "memory" / service.name / target.strip("/") for target in service.memory_folders
        }
        for source, target in service.volumes:
            places[target] = ROOT / source if source.startswith("./") else self.folder / "volumes" / source
        for place in places.values():
            place.mkdir(parents=True, exist_ok=True)
        return places

    def _command(self, service: Service) -> list[str]:
        command = [self._translated(part, service) for part in service.command]
        if service.declared["image"].startswith("mysql:") and command[0].startswith("--"):
            return self._mysql_image(service, command)
        if command[0] == "minio" and program("minio") is None:
            data, address = command[2], command[command.index("--address") + 1]
            return ["rclone", "serve", "s3", "--addr", address, data]
        return [program(command[0]) or command[0], *command[1:]]

    def _mysql_image(self, service: Service, flags: list[str]) -> list[str]:
        data, scratch = self.path(service.name, "/var/lib/mysql"), self.path(service.name, "/var/run/mysqld")
        user, fixed = getpass.getuser(), (f"--datadir={data}", "--no-defaults")
        if not any(data.iterdir()):
            install = ["mariadb-install-db", fixed[1], fixed[0], f"--user={user}", "--skip-test-db"]
            done = subprocess.run(
                install,
                env={"PATH": _path(), "TMPDIR": str(scratch)},
                capture_output=True,
                text=True,
                check=False,  # asserted below, with what it wrote, which `check=True` would not show
            )
            assert done.returncode == 0, done.stdout + done.stderr
            first = scratch / "first.sql"
            first.touch(mode=0o600)
            first.write_text(_first_start(service.environment), encoding="utf-8")
            flags = [*flags, f"--init-file={first}"]
        where = (
            f"--socket={scratch}/s.sock",
            f"--pid-file={scratch}/s.pid",
            f"--bind-address={self.address(service.name)}",
            f"--tmpdir={scratch}",
        )
        return ["mariadbd", fixed[1], fixed[0], f"--user={user}", *where, "--port=3306", *flags]


def _first_start(environment: Mapping[str, str]) -> str:
    """What the image does on an empty volume, and this much only."""
    root, user, password = (environment[f"MYSQL_{name}"] for name in ("ROOT_PASSWORD", "USER", "PASSWORD"))
    database = environment["MYSQL_DATABASE"]
    return f"""
ALTER USER 'root'@'localhost' IDENTIFIED BY '{root}';
CREATE USER 'root'@'%' IDENTIFIED BY '{root}';
GRANT ALL ON *.* TO 'root'@'%' WITH GRANT OPTION;
CREATE DATABASE `{database}`;
CREATE USER '{user}'@'%' IDENTIFIED BY '{password}';
GRANT ALL ON `{database}`.* TO '{user}'@'%';
"""


def _path() -> str:
    places = (Path(sys.executable).parent, ROOT / ".cv-yolo" / "bin", os.environ["PATH"], "/usr/sbin")
    return os.pathsep.join(map(str, places))
