"""Write the settings and secrets of the servers in Docker, and check them before the servers start."""

from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

from cv_yolo.errors import ConfigError, NotFoundError
from cv_yolo.files import write_secret
from cv_yolo_stack.domain.env_file import faults, filled, settings_of

EXAMPLE: Final = ".env.example"
WRITTEN: Final = ".env"
OTHERS: Final = 0o077


def write_env(root: Path, *, new_secret: Callable[[], str], force: bool = False) -> Path:
    """Write a `.env` with new secrets, readable only by its owner; an existing one is replaced only with `force`."""
    path = root / WRITTEN
    if path.exists() and not force:
        raise ConfigError(
            f"{path} already exists",
            hint="`--add-missing` adds new settings of the example; `--force` discards the secrets of running servers",
        )
    write_secret(path, filled(_example(root), known={}, new_secret=new_secret))
    return path


def add_missing(root: Path, *, new_secret: Callable[[], str]) -> tuple[str, ...]:
    """Add to `.env` what the example has and it has not; returns the names that are new."""
    path, example = root / WRITTEN, _example(root)
    known = settings_of(_read(path))
    new = tuple(name for name in settings_of(example) if name not in known)
    write_secret(path, filled(example, known=known, new_secret=new_secret))
    return new


def check_env(root: Path, *, environment: Mapping[str, str] | None = None) -> None:
    """Raises `ConfigError` with all that is wrong in `.env`, or in an environment where it was read into one."""
    path, example = root / WRITTEN, _example(root)
    given = settings_of(_read(path)) if environment is None else environment
    found = list(faults(example, given))
    if environment is None and path.stat().st_mode & OTHERS:
        found.append("other users can read it (`chmod 600 .env`)")
    if found:
        raise ConfigError(f"{WRITTEN}: {'; '.join(found)}", hint="`cv-yolo init-env` creates one with new secrets")


def _example(root: Path) -> str:
    return _read(
        root / EXAMPLE,
        hint="run this next to compose.yaml: the Docker setup is in zenml-cv-yolo's repository, not in its package",
    )


def _read(path: Path, *, hint: str = "create it with `cv-yolo init-env`") -> str:
    try:
        return path.read_text(encoding="utf-8")
    except FileNotFoundError as error:
        raise NotFoundError(f"{path}: no such file", hint=hint) from error
    except (OSError, ValueError) as error:
        raise ConfigError(f"{path}: cannot be read: {' '.join(str(error).split())}") from error
