"""MySQL and MariaDB, where we need them ourselves: to make databases and users, and to ask whether they are usable."""

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any, Final

from cv_yolo.domain.addresses import DatabaseAddress
from cv_yolo.errors import ServiceUnavailableError

SERVER_ERRORS: Final = range(1000, 2000)  # what the server says; 2000 and up is the client's own trouble


class SqlDatabase:
    """One database of a server; `address` names who logs in."""

    def __init__(self, address: DatabaseAddress, *, patience_s: int = 5) -> None:
        self._address, self._patience_s = address, patience_s

    def use(self) -> None:
        """Log in and make, fill and drop a temporary table."""
        with self.cursor() as cursor:
            cursor.execute("CREATE TEMPORARY TABLE cv_yolo_probe (value INT)")
            cursor.execute("INSERT INTO cv_yolo_probe VALUES (1)")
            cursor.execute("DROP TEMPORARY TABLE cv_yolo_probe")

    def version(self) -> str:
        """What the server calls itself."""
        with self.cursor() as cursor:
            cursor.execute("SELECT VERSION()")
            return str(cursor.fetchone()[0])

    def clock(self) -> datetime:
        """What the server's clock says."""
        with self.cursor() as cursor:
            cursor.execute("SELECT UTC_TIMESTAMP(3)")
            told: datetime = cursor.fetchone()[0]
        return told.replace(tzinfo=UTC)

    def answer_to(self, password: str) -> int:
        """What the server says to our user with that password: MySQL's number of the refusal, 0 where it lets us in."""
        try:
            with SqlDatabase(replace(self._address, password=password), patience_s=self._patience_s).cursor():
                return 0
        except ServiceUnavailableError as error:
            cause = error.__cause__
            code = cause.args[0] if cause is not None and cause.args else None
            if isinstance(code, int) and code in SERVER_ERRORS:
                return code
            raise

    @contextmanager
    def cursor(self) -> Iterator[Any]:
        """A cursor of a connection of its own, committed at the end."""
        import pymysql

        address = self._address
        try:
            connection = pymysql.connect(
                host=address.host,
                port=address.port,
                user=address.user,
                password=address.password,
                database=address.database or None,
                connect_timeout=self._patience_s,
                read_timeout=self._patience_s * 6,
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
            hint="is it up, and are user and password right? `cv-yolo status` tells",
        )
