"""The remote of one home, with its keys: in the home's own configuration, readable only by its owner.

The project's configuration, which git or another home shares, is not changed (ADR 16).
"""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

from cv_yolo.domain.stack import DATASET_REMOTE, DATASET_REMOTE_BESIDE, ChangeKind, ObjectStoreAddress
from cv_yolo.errors import DatasetError
from cv_yolo.files import write_secret

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
