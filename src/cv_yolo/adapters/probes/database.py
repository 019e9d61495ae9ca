"""MariaDB and MySQL behind the port `ServerProbe`; what they answer with are MySQL's error numbers, 0 for no error."""

import secrets
import sqlite3
from collections.abc import Callable, Mapping
from contextlib import closing
from datetime import datetime
from pathlib import Path
from typing import Any

from cv_yolo.adapters.probes.clients import DatabaseClient
from cv_yolo.adapters.probes.reach import reach
from cv_yolo.domain.addresses import DatabaseAddress
from cv_yolo.errors import ServiceUnavailableError


class SqlProbe:
    """Tries one database."""

    def __init__(self, address: DatabaseAddress, database: DatabaseClient, *, patience_s: float) -> None:
        self._address, self._database, self._patience_s = address, database, patience_s

    @property
    def address(self) -> str:
        """Where the server answers."""
        return f"mysql://{self._address.host}:{self._address.port}/{self._address.database}"

    def greet(self) -> None:
        """Reach the server."""
        reach(self.address, patience_s=self._patience_s)

    def clock(self) -> datetime:
        """What the server's clock says."""
        return self._database.clock()

    def ask_as_nobody(self) -> Mapping[str, int]:
        """Log in without a password."""
        return {"no password": self._database.answer_to("")}

    def ask_as_impostor(self) -> Mapping[str, int]:
        """Log in with a wrong password."""
        return {"wrong password": self._database.answer_to(secrets.token_urlsafe(18))}

    def log_in(self) -> str:
        """Log in and use a table of our own."""
        self._database.use()
        return self._address.user

    def version(self) -> str:
        """What the server calls itself."""
        return self._database.version()

    def stored_secret(self, secret_id: str) -> bytes:
        """What ZenML keeps of a secret's values in this database."""
        with self._database.cursor() as cursor:
            cursor.execute("SELECT `values` FROM secret WHERE id = %s", (secret_id,))
            return _bytes(cursor.fetchone())


def stored_in_file(path: Path) -> Callable[[str], bytes]:
    """What ZenML keeps of a secret's values in an SQLite file, by its id."""

    def stored(secret_id: str) -> bytes:
        try:
            with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
                found = connection.execute('SELECT "values" FROM secret WHERE id = ?', (secret_id,)).fetchone()
        except sqlite3.Error as error:
            raise ServiceUnavailableError(f"{path}: {error}") from error
        return _bytes(found)

    return stored


def _bytes(row: Any) -> bytes:
    value = row[0] if row else b""
    return value if isinstance(value, bytes) else str(value or "").encode()
