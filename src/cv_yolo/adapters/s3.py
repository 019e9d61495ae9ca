"""An S3 service behind the port `ObjectStore`, path style, nothing beyond what every S3 server does."""

import secrets
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from functools import cached_property
from typing import Any, Final

from cv_yolo.domain.stack import ObjectStoreAddress
from cv_yolo.errors import AccessRefusedError, NotFoundError, ServiceUnavailableError
from cv_yolo.ports.servers import StoredObject

SCRATCH_PREFIX: Final = ".cv-yolo-probe/"
MISSING: Final = {"NoSuchKey", "NoSuchBucket", "404"}
REFUSED: Final = {"InvalidAccessKeyId", "SignatureDoesNotMatch", "AccessDenied", "403"}
SKEWED: Final = "RequestTimeTooSkewed"
KEYS: Final = (
    "the access key or its secret is wrong: run `cv-yolo stack register` on the servers' machine to renew them"
)
CLOCKS: Final = "its clock and ours differ: run `timedatectl set-ntp true` on both machines"
MINUTES_APART: Final = 5


class S3Store:
    """Objects of one S3 service."""

    def __init__(self, address: ObjectStoreAddress, *, timeout_s: float = 10.0, attempts: int = 2) -> None:
        self._address, self._timeout_s, self._attempts = address, timeout_s, attempts

    def use(self, bucket: str) -> None:
        """Put, get and delete a small object in the bucket."""
        key, content = f"{SCRATCH_PREFIX}{secrets.token_hex(8)}", secrets.token_bytes(64)
        self.put(bucket, key, content)
        try:
            if self.get(bucket, key) != content:
                raise ServiceUnavailableError(
                    f"{self}: an object was returned with other content", hint="do not use this store"
                )
        finally:
            self.delete(bucket, key)

    def buckets(self) -> tuple[str, ...]:
        """The names of all buckets."""
        with self.translated("list buckets"):
            return tuple(sorted(each["Name"] for each in self.client.list_buckets()["Buckets"]))

    def make_bucket(self, bucket: str) -> bool:
        """Make the bucket; False if it exists."""
        if bucket in self.buckets():
            return False
        with self.translated(f"make bucket {bucket}"):
            self.client.create_bucket(Bucket=bucket)
        return True

    def put(self, bucket: str, key: str, content: bytes) -> None:
        """Keep a small object, whole."""
        with self.translated(f"put {bucket}/{key}"):
            self.client.put_object(Bucket=bucket, Key=key, Body=content)

    def get(self, bucket: str, key: str) -> bytes:
        """The content of a small object."""
        with self.translated(f"get {bucket}/{key}"):
            return bytes(self.client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def delete(self, bucket: str, key: str) -> None:
        """Remove an object; succeeds if there is none."""
        with self.translated(f"delete {bucket}/{key}"):
            self.client.delete_object(Bucket=bucket, Key=key)

    def objects(self, bucket: str, prefix: str = "") -> Iterator[StoredObject]:
        """All objects of a bucket whose keys begin so, in the order of their keys."""
        with self.translated(f"list {bucket}/{prefix}"):
            for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
                for each in page.get("Contents", ()):
                    yield StoredObject(key=each["Key"], size_bytes=each["Size"])

    @cached_property
    def client(self) -> Any:
        """The S3 client itself, for what only one caller needs."""
        import boto3
        from botocore.config import Config

        config = Config(
            signature_version="s3v4",
            s3={"addressing_style": "path"},
            connect_timeout=self._timeout_s,
            read_timeout=self._timeout_s,
            retries={"total_max_attempts": self._attempts, "mode": "standard"},
        )
        return boto3.session.Session().client(
            "s3",
            endpoint_url=self._address.endpoint_url,
            aws_access_key_id=self._address.access_key,
            aws_secret_access_key=self._address.secret_key,
            region_name=self._address.region,
            config=config,
        )

    @contextmanager
    def translated(self, action: str) -> Iterator[None]:
        """Translate the client's errors into `CvYoloError`s."""
        from botocore.exceptions import BotoCoreError, ClientError

        try:
            yield
        except ClientError as error:
            code = str(error.response.get("Error", {}).get("Code", ""))
            if code in MISSING:
                raise NotFoundError(f"{self}: {action}: not there ({code})") from error
            apart = _minutes_apart(error.response)
            if code == SKEWED or (code in REFUSED and apart > MINUTES_APART):  # not every store says why it refuses
                message = f"{self}: {action}: {code} ({apart:.0f} minutes apart)"
                raise AccessRefusedError(message, hint=CLOCKS) from error
            if code in REFUSED:
                raise AccessRefusedError(f"{self}: {action}: {code}", hint=KEYS) from error
            raise ServiceUnavailableError(
                f"{self}: {action}: {code or error}", hint="`cv-yolo doctor` shows more"
            ) from error
        except (BotoCoreError, OSError) as error:
            raise ServiceUnavailableError(
                f"{self}: {action}: {' '.join(str(error).split())}", hint="is it up? `cv-yolo status` shows it"
            ) from error

    def __str__(self) -> str:
        return f"object store at {self._address.endpoint_url or 'Amazon S3'}"


def _minutes_apart(response: Any) -> float:
    """How far the clock that answered is from ours; 0 if it returned no time."""
    date = response.get("ResponseMetadata", {}).get("HTTPHeaders", {}).get("date")
    try:
        return abs((parsedate_to_datetime(date) - datetime.now(UTC)).total_seconds()) / 60
    except (TypeError, ValueError):
        return 0.0
