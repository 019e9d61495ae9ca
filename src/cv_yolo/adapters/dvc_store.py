"""DVC behind the ports `DatasetStore` and `DatasetRemote`.

Its command line does what changes data, its hash what only looks, its configuration what would show a secret otherwise.
"""

import os
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from cv_yolo.domain.addresses import ObjectStoreAddress
from cv_yolo.domain.stack import DATASET_REMOTE, Deed
from cv_yolo.errors import CvYoloError, DatasetError, ServiceUnavailableError

HASH_KEY: Final = "md5"
REFUSED: Final = ("Forbidden", "(403)", "SignatureDoesNotMatch", "InvalidAccessKeyId", "Unable to locate credentials")
UNREACHABLE: Final = (
    "failed to connect",
    "Could not connect",
    "timed out",
    "Connection reset",
    "Name or service not known",
)


class DvcStore:
    """The DVC project in `root` (with `dvc.yaml` and `.dvc/`); where there is none, nothing is recorded."""

    def __init__(self, *, root: Path, environment: Mapping[str, str]) -> None:
        self._root = root
        self._environment = dict(environment)
        self._environment["PATH"] = os.pathsep.join([str(Path(sys.executable).parent), environment.get("PATH", "")])

    def pull(self, root: Path) -> bool:
        """Fetch the recorded revision from cache or remote; False where none is recorded, or nobody has it.

        Raises `ServiceUnavailableError` where the remote does not answer or refuses our key.
        """
        if self.recorded_hash(root) is None:
            return False
        pulled = self._dvc("pull", self._relative(root))
        if pulled.returncode != 0 and _blames_remote(pulled.stderr):
            raise _failed(f"{self._relative(root)}: cannot be pulled", pulled.stderr, "pull")
        return pulled.returncode == 0

    def make(self, root: Path) -> bool:
        """Run the stage that makes the folder and push its result; False where no stage makes it."""
        stage = self._stage_of(root)
        if stage is None:
            return False
        made = self._dvc("repro", stage)
        if made.returncode != 0:
            raise DatasetError(
                f"{self._relative(root)}: the DVC stage {stage!r} that makes it failed: {_last_line(made.stderr)}",
                hint=f"run `dvc repro {stage}` to see all it says",
            )
        pushed = self._dvc("push", self._relative(root))
        if pushed.returncode != 0:
            raise _failed(f"{self._relative(root)}: made, but not kept", pushed.stderr, "push")
        return True

    def set_remote(self, objects: ObjectStoreAddress, bucket: str) -> Deed | None:
        """Use a bucket of the object store by default; said in `.dvc/config.local`, which git ignores, for its keys."""
        local = self._root / ".dvc" / "config.local"
        if not local.parent.is_dir():
            return None
        wanted = {"url": f"s3://{bucket}/store", "region": objects.region, "access_key_id": objects.access_key}
        wanted |= {"secret_access_key": objects.secret_key}
        wanted |= {} if objects.endpoint_url is None else {"endpointurl": objects.endpoint_url}
        local.touch(mode=0o600)
        local.chmod(0o600)
        with _local_settings(local.parent) as settings:
            known = dict(settings.get("remote", {}).get(DATASET_REMOTE, {}))
            default = settings.get("core", {}).get("remote")
            settings.setdefault("remote", {})[DATASET_REMOTE] = wanted
            settings.setdefault("core", {})["remote"] = DATASET_REMOTE
        if (known, default) == (wanted, DATASET_REMOTE):
            return Deed.UNCHANGED
        return Deed.CHANGED if known else Deed.MADE

    def forget_remote(self) -> None:
        """Use again by default what the project itself says; whatever was pushed stays there."""
        local = self._root / ".dvc" / "config.local"
        if local.is_file():
            with _local_settings(local.parent) as settings:
                settings.get("remote", {}).pop(DATASET_REMOTE, None)
                if settings.get("core", {}).get("remote") == DATASET_REMOTE:
                    del settings["core"]["remote"]

    def content_hash(self, root: Path) -> str | None:
        """DVC's directory hash of what is in the folder now; None where the folder is missing."""
        if not root.is_dir():
            return None
        from dvc_data.hashfile.build import build
        from dvc_data.hashfile.db.local import LocalHashFileDB
        from dvc_objects.fs.local import LocalFileSystem

        files = LocalFileSystem()
        scratch = LocalHashFileDB(files, os.devnull)
        _, _, built = build(scratch, str(root.resolve()), files, HASH_KEY, dry_run=True)
        return str(built.hash_info.value)

    def recorded_hash(self, root: Path) -> str | None:
        """The hash that `dvc.lock` or a `.dvc` file records for the folder."""
        relative = self._relative(root)
        pointer = root.with_name(f"{root.name}.dvc")
        outputs = [] if not pointer.is_file() else _read(pointer).get("outs", [])
        for stage in _read(self._root / "dvc.lock").get("stages", {}).values():
            outputs += [output for output in stage.get("outs", []) if output["path"] == relative]
        return next((str(output[HASH_KEY]) for output in outputs if HASH_KEY in output), None)

    def _stage_of(self, root: Path) -> str | None:
        relative = self._relative(root)
        for name, stage in _read(self._root / "dvc.yaml").get("stages", {}).items():
            paths = [next(iter(out)) if isinstance(out, dict) else out for out in stage.get("outs", [])]
            if relative in paths:
                return str(name)
        return None

    def _relative(self, root: Path) -> str:
        return Path(os.path.relpath(root.resolve(), self._root.resolve())).as_posix()

    def _dvc(self, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [sys.executable, "-m", "dvc", *arguments],
            cwd=self._root,
            env=self._environment,
            capture_output=True,
            text=True,
            check=False,  # every caller reads the exit code: `pull` answers with it, `make` raises with DVC's own words
        )


def _local_settings(folder: Path) -> Any:
    """What `dvc config --local` keeps, to be changed within a block; no command line shows it."""
    from dvc.config import Config

    return Config(str(folder), validate=False).edit("local", validate=False)


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DatasetError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: not a file of DVC's")
    return content


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    errors = [line for line in lines if line.lower().startswith("error")]
    return (errors or lines or ["no message"])[-1].removeprefix("ERROR: ")


def _blames_remote(text: str) -> bool:
    return any(mark in text for mark in (*REFUSED, *UNREACHABLE))


def _failed(what: str, text: str, command: str) -> CvYoloError:
    """The error for a failed `dvc pull` or `push`: the remote's fault, with who has to mend what, or the data's."""
    lines = [line for line in text.splitlines() if _blames_remote(line)]
    reason = _last_line("\n".join(lines) or text)
    if any(mark in text for mark in REFUSED):
        return ServiceUnavailableError(
            f"{what}: the remote refuses our key: {reason}",
            hint="`cv-yolo stack register` or `cv-yolo connect` renews it",
        )
    if any(mark in text for mark in UNREACHABLE):
        return ServiceUnavailableError(
            f"{what}: the remote does not answer: {reason}", hint="is it up? `cv-yolo status` and `cv-yolo doctor` tell"
        )
    return DatasetError(
        f"{what}: {reason}", hint=f"run `dvc {command}` to see all it says; `dvc remote list` shows where it goes"
    )
