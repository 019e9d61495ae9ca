"""The passwords and keys of the local servers: random, made once, kept in one file that only its owner can read."""

import json
import secrets
import stat
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Final

from cv_yolo.errors import ConfigError
from cv_yolo.files import write_secret

OTHERS: Final = stat.S_IRWXG | stat.S_IRWXO
NAMES: Final = {"store_access_key", "database_user", "zenml_user", "mlflow_user"}  # not secret
HIDDEN: Final = "•••"


@dataclass(frozen=True, slots=True, kw_only=True)
class Credentials:
    """The logins of all servers."""

    store_access_key: str
    store_secret_key: str = field(repr=False)
    database_user: str
    database_password: str = field(repr=False)
    zenml_user: str
    zenml_password: str = field(repr=False)
    zenml_token_key: str = field(repr=False)
    zenml_encryption_key: str = field(repr=False)
    mlflow_user: str
    mlflow_password: str = field(repr=False)
    mlflow_session_key: str = field(repr=False)

    def without_secrets(self, text: str) -> str:
        """The text, with each secret replaced."""
        for name, value in asdict(self).items():
            if name not in NAMES:
                text = text.replace(value, HIDDEN)
        return text


def new_credentials() -> Credentials:
    """Random ones, long enough for every server's own rules."""
    return Credentials(
        store_access_key=f"cv-yolo-{secrets.token_hex(6)}",
        store_secret_key=secrets.token_urlsafe(30),
        database_user="cv_yolo",
        database_password=secrets.token_urlsafe(24),
        zenml_user="admin",
        zenml_password=secrets.token_urlsafe(18),
        zenml_token_key=secrets.token_hex(32),
        zenml_encryption_key=secrets.token_hex(32),
        mlflow_user="admin",
        mlflow_password=secrets.token_urlsafe(18),
        mlflow_session_key=secrets.token_hex(32),
    )


def keep_credentials(path: Path, credentials: Credentials) -> None:
    """Write the file, mode 0600."""
    write_secret(path, json.dumps(asdict(credentials), indent=1) + "\n")


def read_credentials(path: Path) -> Credentials | None:
    """The stored credentials, or None; a file that others can read is refused."""
    try:
        if stat.S_IMODE(path.stat().st_mode) & OTHERS:
            raise ConfigError(f"{path}: others can read it", hint=f"chmod 600 {path}")
        return Credentials(**json.loads(path.read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (OSError, ValueError, TypeError) as error:
        raise ConfigError(
            f"{path}: cannot be read: {' '.join(str(error).split())}",
            hint="restore it from a backup: without its keys the servers' data cannot be read",
        ) from error
