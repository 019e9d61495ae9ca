"""DVC behind the ports `DatasetStore` and `DatasetRemote`.

Its command line changes data. Each command is given the server's remote.

The object store's bucket as DVC's remote is in the home's own configuration, with its keys, readable only by its owner.

The project's configuration, which git or another home shares, is not changed (ADR 16).
"""

import os
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import yaml

from cv_yolo.adapters.dvc.command import Attended, DvcCommand
from cv_yolo.adapters.dvc.directory_hash import directory_hash
from cv_yolo.domain.stack import DATASET_REMOTE, DATASET_REMOTE_BESIDE, ChangeKind, ObjectStoreAddress
from cv_yolo.errors import CvYoloError, DatasetError, ServiceUnavailableError
from cv_yolo.files import write_secret

HASH_KEY: Final = "md5"
NOT_HERE: Final = "Checkout failed for following targets"
NEVER_KEPT: Final = "Missing cache files"
REFUSED: Final = ("Forbidden", "(403)", "SignatureDoesNotMatch", "InvalidAccessKeyId", "Unable to locate credentials")
UNREACHABLE: Final = (
    "failed to connect",
    "Could not connect",
    "timed out",
    "Connection reset",
    "Name or service not known",
)


class DvcStore:
    """The DVC project in `root` (with `dvc.yaml` and `.dvc/`); without one, nothing is recorded.

    Only what belongs to this project is pulled, pushed or made: not what lies elsewhere, or in another project.
    """

    def __init__(
        self,
        *,
        root: Path,
        environment: Mapping[str, str],
        attended: Attended | None = None,
        report: Callable[[str], None] = lambda _: None,
    ) -> None:
        self._root = root
        self._dvc = DvcCommand(root=root, environment=environment, attended=attended or Attended())
        self._remote = HomeRemote(project=root / ".dvc", environment=environment, report=report)

    def pull(self, root: Path) -> bool:
        """Fetch the recorded revision from cache or remote; False where none is recorded, or it was never pushed.

        Raises `ServiceUnavailableError` where the remote does not answer or refuses our key, `DatasetError` with DVC's
        own words for every other failure.
        """
        if self.recorded_hash(root) is None or not self._is_ours(root):
            return False
        pulled = self._dvc("pull", *self._remote.options, self._relative(root))
        if pulled.returncode == 0:
            return True
        if NOT_HERE in pulled.stderr and len(_errors(pulled.stderr)) == 1:
            return False
        raise _failed(f"{self._relative(root)}: cannot be pulled", pulled.stderr, "pull")

    def push(self, root: Path) -> None:
        """Keep the recorded revision on the remote."""
        if not self._is_ours(root):
            raise DatasetError(f"{root}: not a data set of this project", hint=f"push it in its own project: cd {root}")
        self._push(root, f"{self._relative(root)}: cannot be pushed")

    def recipe(self, root: Path) -> str | None:
        """The stage of the project's own `dvc.yaml` that makes the folder; those of other folders do not count."""
        return self._stage_of(root) if self._is_ours(root) else None

    def make(self, root: Path) -> bool:
        """Run the stage that makes the folder, and no other, and push its result; False where no stage makes it."""
        stage = self.recipe(root)
        if stage is None:
            return False
        made = self._dvc("repro", "--single-item", stage)
        if made.returncode != 0:
            raise DatasetError(
                f"{self._relative(root)}: the DVC stage {stage!r} that makes it failed: {_last_line(made.stderr)}",
                hint=f"run `dvc repro {stage}` to see its whole output, and to run the stages that it depends on",
            )
        self._push(root, f"{self._relative(root)}: created, but not pushed")
        return True

    def set_remote(self, objects: ObjectStoreAddress, bucket: str) -> ChangeKind | None:
        """Use a bucket of the object store; its keys are kept in the home, readable only by its owner."""
        return self._remote.set(objects, bucket)

    def forget_remote(self) -> None:
        """Use the project's own remote; what was pushed stays there."""
        self._remote.forget()

    def content_hash(self, root: Path, known: Mapping[str, str] | None = None) -> str | None:
        """DVC's directory hash of what is in the folder now; None where the folder is missing."""
        return directory_hash(root, known or {}) if root.is_dir() else None

    def recorded_hash(self, root: Path) -> str | None:
        """The hash that `dvc.lock` or a `.dvc` file records for the folder."""
        relative = self._relative(root)
        pointer = root.with_name(f"{root.name}.dvc")
        outputs = [] if not pointer.is_file() else _read(pointer).get("outs", [])
        for stage in _read(self._root / "dvc.lock").get("stages", {}).values():
            outputs += [output for output in stage.get("outs", []) if output["path"] == relative]
        return next((str(output[HASH_KEY]) for output in outputs if HASH_KEY in output), None)

    def _push(self, root: Path, what: str) -> None:
        pushed = self._dvc("push", *self._remote.options, self._relative(root))
        if pushed.returncode != 0 or NEVER_KEPT in pushed.stderr:
            raise _failed(what, pushed.stderr, "push")

    def _stage_of(self, root: Path) -> str | None:
        relative = self._relative(root)
        for name, stage in _read(self._root / "dvc.yaml").get("stages", {}).items():
            outs = [next(iter(out)) if isinstance(out, dict) else out for out in stage.get("outs", [])]
            if relative in (Path(os.path.normpath(Path(stage.get("wdir", "."), out))).as_posix() for out in outs):
                return str(name)
        return None

    def _is_ours(self, root: Path) -> bool:
        """Whether the folder belongs to this project: inside it, and in no other project inside it."""
        here, top = root.resolve(), self._root.resolve()
        if top not in here.parents:
            return False
        between = [each for each in (here, *here.parents) if top in each.parents]
        return not any((each / mark).exists() for each in between for mark in (".dvc", ".git"))

    def _relative(self, root: Path) -> str:
        return Path(os.path.relpath(root.resolve(), self._root.resolve())).as_posix()


def _read(path: Path) -> dict[str, Any]:
    if not path.is_file():
        return {}
    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8")) or {}
    except (UnicodeDecodeError, yaml.YAMLError) as error:
        raise DatasetError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    if not isinstance(content, dict):
        raise DatasetError(f"{path}: not a DVC file")
    return content


def _errors(text: str) -> list[str]:
    return [line.strip() for line in text.splitlines() if line.strip().lower().startswith("error")]


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return (_errors(text) or lines or ["no message"])[-1].removeprefix("ERROR: ")


def _blames_remote(text: str) -> bool:
    return any(mark in text for mark in (*REFUSED, *UNREACHABLE))


def _failed(what: str, text: str, command: str) -> CvYoloError:
    """The error for a failed `dvc pull` or `push`: the remote's, with what to fix, or the data's."""
    lines = [line for line in text.splitlines() if _blames_remote(line)]
    reason = _last_line("\n".join(lines) or text)
    if any(mark in text for mark in REFUSED):
        return ServiceUnavailableError(
            f"{what}: the remote refuses our key: {reason}",
            hint="`cv-yolo stack register` or `cv-yolo connect` renews it",
        )
    if any(mark in text for mark in UNREACHABLE):
        return ServiceUnavailableError(
            f"{what}: the remote does not answer: {reason}",
            hint="is it up? Check with `cv-yolo status` and `cv-yolo doctor`",
        )
    if NEVER_KEPT in text:
        return DatasetError(
            f"{what}: the recorded files are neither in DVC's cache nor on the remote",
            hint="record the current files (`dvc add`, or `dvc commit` for a stage's output), or push where they are",
        )
    return DatasetError(
        f"{what}: {reason}", hint=f"run `dvc {command}` to see its whole output; `dvc remote list` shows the remotes"
    )


CONFIG_FOLDER: Final = "DVC_GLOBAL_CONFIG_DIR"  # the home's own, which only this machine's user can read
WRITTEN_BEFORE: Final = {"url", "region", "access_key_id", "secret_access_key"}  # by us, into `.dvc/config.local`


class HomeRemote:
    """The remote of one home for the DVC project in the folder `project`; `options` name it to a command."""

    def __init__(self, *, project: Path, environment: Mapping[str, str], report: Callable[[str], None]) -> None:
        self._project, self._environment, self._report = project, environment, report
        self.options: tuple[str, ...] = ()

    def set(self, objects: ObjectStoreAddress, bucket: str) -> ChangeKind | None:
        """Use a bucket of the object store; its keys are kept in the home, readable only by its owner."""
        if not self._project.is_dir():
            return None
        self._clean_project()
        name = DATASET_REMOTE_BESIDE if DATASET_REMOTE in _remotes(self._project) else DATASET_REMOTE
        wanted = {"url": f"s3://{bucket}/store", "region": objects.region, "access_key_id": objects.access_key}
        wanted |= {"secret_access_key": objects.secret_key}
        wanted |= {} if objects.endpoint_url is None else {"endpointurl": objects.endpoint_url}
        known = _settings(self._home_config)
        config = _without_ours(known) | {"core": {"remote": name}, _section(name): wanted}
        self.options = ("--remote", name)
        if known == config:
            return ChangeKind.UNCHANGED
        write_secret(self._home_config, _text_of(config))
        return ChangeKind.CHANGED if _section(name) in known else ChangeKind.MADE

    def forget(self) -> None:
        """Use the project's own remote; what was pushed stays there."""
        self._clean_project()
        known = _settings(self._home_config)
        if known != _without_ours(known):
            write_secret(self._home_config, _text_of(_without_ours(known)))
        self.options = ()

    @property
    def _home_config(self) -> Path:
        return Path(self._environment[CONFIG_FOLDER]) / "config"

    def _clean_project(self) -> None:
        """Remove what an earlier version wrote into the project's local settings; the user's own stay."""
        local = self._project / "config.local"
        settings = _settings(local)
        section = _section(DATASET_REMOTE)
        ours = settings.get(section, {})
        if set(ours) - {"endpointurl"} != WRITTEN_BEFORE or not ours["url"].endswith("/store"):
            return
        del settings[section]
        if settings.get("core", {}).get("remote") == DATASET_REMOTE:
            del settings["core"]["remote"]
        if any(settings.values()):
            write_secret(local, _text_of(settings))
        else:
            local.unlink()
        self._report(
            f"{local}: the object store's keys that an earlier version wrote there were removed: each home keeps its "
            "own. `cv-yolo data push FOLDER` and `data pull FOLDER` use the remote of the home."
        )


def _settings(path: Path) -> dict[str, dict[str, str]]:
    """The sections of a DVC configuration file; empty where there is none."""
    if not path.is_file():
        return {}
    from configobj import ConfigObj, ConfigObjError

    try:
        found: dict[str, Any] = ConfigObj(str(path), encoding="utf-8", interpolation=False).dict()
    except (OSError, ValueError, ConfigObjError) as error:
        raise DatasetError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
    return {name: section for name, section in found.items() if isinstance(section, dict)}


def _text_of(settings: Mapping[str, Mapping[str, str]]) -> str:
    from configobj import ConfigObj

    return "\n".join([*ConfigObj(settings, interpolation=False).write(), ""])


def _section(remote: str) -> str:
    return f'remote "{remote}"'


def _without_ours(settings: Mapping[str, dict[str, str]]) -> dict[str, dict[str, str]]:
    """The settings of a home but for our remote, and that it is the default."""
    ours = {DATASET_REMOTE, DATASET_REMOTE_BESIDE}
    kept = {name: dict(section) for name, section in settings.items() if name not in map(_section, ours)}
    if kept.get("core", {}).get("remote") in ours:
        del kept["core"]
    return kept


def _remotes(project: Path) -> set[str]:
    """The names of the remotes that the project's own configuration knows."""
    sections = {name for file in ("config", "config.local") for name in _settings(project / file)}
    return {name.removeprefix('remote "').removesuffix('"') for name in sections if name.startswith('remote "')}
