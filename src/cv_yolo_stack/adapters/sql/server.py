"""MySQL and MariaDB behind the ports `DatabaseServer` and `DatabaseProbe`."""

import secrets
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from cv_yolo.domain.stack import DatabaseAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.adapters.clients import DatabaseClient, reach
from cv_yolo_stack.adapters.sql.records import COUNTS, TABLES, content_of
from cv_yolo_stack.ports.databases import RecordKind

SIZE: Final = "SELECT COALESCE(SUM(data_length), 0) FROM information_schema.tables WHERE table_schema IN %s"
TABLES_OF: Final = "SELECT table_name FROM information_schema.tables WHERE table_schema = %s"
SERVER_ERRORS: Final = range(1000, 2000)  # from the server; 2000 and up are the client's own


class SqlDatabase:
    """One database of a server; `address` names who logs in."""

    def __init__(self, address: DatabaseAddress, *, timeout_s: int = 5) -> None:
        self._address, self._timeout_s = address, timeout_s

    def use(self) -> None:
        """Log in and make, fill and drop a temporary table."""
        with self.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE cv_yolo_probe (value INT)")
            cursor.execute("INSERT INTO cv_yolo_probe VALUES (1)")
            cursor.execute("DROP TEMPORARY TABLE cv_yolo_probe")

    def version(self) -> str:
        """The server's version."""
        with self.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            return str(cursor.fetchone()[0])

    def make_databases(self, names: Sequence[str]) -> None:
        """Make those databases that are missing, for every character there is."""
        with self.cursor() as cursor:
            for name in names:
                cursor.execute(f"CREATE DATABASE IF NOT EXISTS `{name}` CHARACTER SET utf8mb4")

    def startup_script(self, names: Sequence[str]) -> str:
        """The SQL that our own server runs at its start: databases, one user, no more."""
        who = f"'{self._address.user}'@'%'"
        make = [f"CREATE DATABASE IF NOT EXISTS `{name}`;" for name in names]
        grant = [f"GRANT ALL ON `{name}`.* TO {who};" for name in names]
        users = [f"CREATE USER IF NOT EXISTS {who};", f"ALTER USER {who} IDENTIFIED BY '{self._address.password}';"]
        return "\n".join([*make, *users, *grant]) + "\n"

    def size_bytes(self, names: Sequence[str]) -> int:
        """How much the rows of the databases take."""
        with self.cursor() as cursor:
            cursor.execute(SIZE, (tuple(names),))
            return int(cursor.fetchone()[0])

    def count_records(self, names: Sequence[str]) -> dict[RecordKind, int]:
        """How many records of which kind are in the databases; one that is missing has none."""
        found: Counter[RecordKind] = Counter()
        with self.cursor() as cursor:
            for name in names:
                cursor.execute(TABLES_OF, (name,))
                tables = {row[0] for row in cursor.fetchall()}
                for kind in [each for each in RecordKind if TABLES[each] in tables]:
                    cursor.execute(f"USE `{name}`")
                    cursor.execute(COUNTS[kind])
                    found[kind] += int(cursor.fetchone()[0])
        return dict(found)

    def stored_secret(self, secret_id: str) -> bytes:
        """What ZenML keeps of a secret's values in this database."""
        with self.cursor() as cursor:
            cursor.execute("SELECT `values` FROM secret WHERE id = %s", (secret_id,))
            return content_of(cursor.fetchone())

    def clock(self) -> datetime:
        """The server's time."""
        with self.cursor() as cursor:
            cursor.execute("SELECT UTC_TIMESTAMP(3)")
            now: datetime = cursor.fetchone()[0]
        return now.replace(tzinfo=UTC)

    def answer_to(self, password: str) -> int:
        """Log in as our user with that password and return MySQL's error number, 0 on success."""
        try:
            with SqlDatabase(replace(self._address, password=password), timeout_s=self._timeout_s).cursor():
                return 0
        except ServiceUnavailableError as error:
            cause = error.__cause__
            code = cause.args[0] if cause is not None and cause.args else None
            if isinstance(code, int) and code in SERVER_ERRORS:
                return code
            raise

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor of a new connection, committed at the end."""
        import pymysql

        address = self._address
        try:
            connection = pymysql.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password,
                database=address.database or None,
                connect_timeout=self._timeout_s,
                read_timeout=self._timeout_s * 6,
            )
        except (pymysql.MySQLError, OSError) as error:
            raise self._unavailable(error) from error
        try:
            with connection, connection.cursor() as cursor:
                yield cursor
                connection.commit()
        except pymysql.MySQLError as error:
            raise self._unavailable(error) from error

    def _unavailable(self, error: Exception) -> ServiceUnavailableError:
        reason = error.args[-1] if error.args else error
        return ServiceUnavailableError(
            f"database {self._address.database} at {self._address.host}:{self._address.port}: {reason}",
            hint="is it up, and are user and password right? Check with `cv-yolo status`",
        )


class SqlProbe:
    """Tries one database."""

    def __init__(self, address: DatabaseAddress, database: DatabaseClient, *, timeout_s: float) -> None:
        self._address, self._database, self._timeout_s = address, database, timeout_s

    @property
    def address(self) -> str:
        """Where the server answers."""
        return f"mysql://{self._address.host}:{self._address.port}/{self._address.database}"

    def greet(self) -> None:
        """Reach the server."""
        reach(self.address, timeout_s=self._timeout_s)

    def clock(self) -> datetime:
        """The server's time."""
        return self._database.clock()

    def ask_anonymously(self) -> Mapping[str, int]:
        """Log in without a password."""
        return {"no password": self._database.answer_to("")}

    def ask_with_wrong_credentials(self) -> Mapping[str, int]:
        """Log in with a wrong password."""
        return {"wrong password": self._database.answer_to(secrets.token_urlsafe(18))}

    def log_in(self) -> str:
        """Log in and use a temporary table."""
        self._database.use()
        return self._address.user

    def version(self) -> str:
        """The server's version."""
        return self._database.version()

    def stored_secret(self, secret_id: str) -> bytes:
        """What ZenML keeps of a secret's values in this database."""
        return self._database.stored_secret(secret_id)
