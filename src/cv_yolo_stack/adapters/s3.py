"""An S3 server behind the port `ObjectStoreProbe`.

Neither tags nor access rights of objects are tried: rclone answers 200 to both and destroys the object.

Addresses that carry their own credentials are signed here, with Amazon's Signature Version 4 in the query, path style:
https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html. The SDK signs for now only; to try an
address that has expired without waiting for it, the time is an argument here.
"""

import hashlib
import hmac
import secrets
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager, suppress
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final, Protocol
from urllib.parse import quote, urlsplit

from cv_yolo.domain.stack import ARTIFACTS_BUCKET, BUCKETS, ObjectStoreAddress
from cv_yolo.errors import NotFoundError, ServiceUnavailableError
from cv_yolo.http import Answer, ask
from cv_yolo.ports.servers import StoredObject
from cv_yolo_stack.adapters.clients import ObjectClient, reach, sense

SCRATCH: Final = ".cv-yolo-probe"
STALE_AFTER: Final = timedelta(minutes=10)  # a doctor is done after one
PART: Final = 5 * 2**20  # the smallest that S3 allows for any part but the last
CRC_OF_NOTHING: Final = "AAAAAA=="
SERVERS_FAULT: Final = 500
NAME: Final = "S3"


class S3Probe:
    """Tries one server, in a scratch folder of the bucket `bucket`."""

    def __init__(
        self, address: ObjectStoreAddress, store: ObjectClient, *, timeout_s: float, bucket: str = ARTIFACTS_BUCKET
    ) -> None:
        self._address, self._store, self._timeout_s, self._bucket = address, store, timeout_s, bucket
        self._folder = f"{SCRATCH}/doctor-{secrets.token_hex(8)}/"

    @property
    def address(self) -> str:
        """Where the server answers."""
        return self._address.endpoint_url or f"https://s3.{self._address.region}.amazonaws.com"

    def greet(self) -> None:
        """Reach the server; any answer will do."""
        reach(self.address, timeout_s=self._timeout_s)
        self._ask("GET", self.address)

    def clock(self) -> datetime | None:
        """The server's time."""
        return self._ask("GET", self.address).at

    def version(self) -> str:
        """The server's name in its headers: S3 has no versions."""
        headers = self._ask("GET", self.address).headers
        return next((value for name, value in headers.items() if name.lower() == "server"), "unnamed server")

    def ask_anonymously(self) -> Mapping[str, int]:
        """Ask for the list of each bucket without any signature."""
        listing = "?list-type=2&max-keys=1"
        return {f"list {each}": self._ask("GET", f"{self.address}/{each}{listing}").status for each in BUCKETS}

    def ask_with_wrong_credentials(self) -> Mapping[str, int]:
        """Ask for a list with our key and a wrong secret, and with an unknown key."""
        liar = replace(self._address, secret_key=secrets.token_urlsafe(30))
        stranger = replace(liar, access_key=f"unknown-{secrets.token_hex(4)}")
        return {"wrong secret": self._list_as(liar), "unknown key": self._list_as(stranger)}

    def log_in(self) -> str:
        """Ask for a list with our key; a missing bucket is not a refusal."""
        with suppress(NotFoundError), self._store.translated(f"list {self._bucket}"):
            self._store.client.list_objects_v2(Bucket=self._bucket, MaxKeys=1)
        return self._address.access_key

    def missing_buckets(self) -> tuple[str, ...]:
        """The buckets we need that are not there; asked one by one, since not every key may list them all."""
        return tuple(bucket for bucket in BUCKETS if not self._has(bucket))

    def exchange(self) -> None:
        """Put, get, list and delete an object."""
        content = secrets.token_bytes(1024)
        with self._scratch("object") as key:
            self._store.put(self._bucket, key, content)
            _same(self._store.get(self._bucket, key), content)
            listed = list(self._store.objects(self._bucket, self._folder))
            if listed != [StoredObject(key=key, size_bytes=len(content))]:
                raise ServiceUnavailableError(f"an object of {len(content)} bytes is listed as {listed}")
            self._store.delete(self._bucket, key)
            if next(self._store.objects(self._bucket, self._folder), None) is not None:
                raise ServiceUnavailableError("an object is still listed after it was deleted")

    def multipart(self) -> None:
        """Put an object in two parts, and get a range of it that spans both."""
        with self._scratch("parts") as key, self._store.translated("multipart upload"), sense(NAME):
            place, client = {"Bucket": self._bucket, "Key": key}, self._store.client
            upload = place | {"UploadId": client.create_multipart_upload(**place)["UploadId"]}
            try:
                parts = [self._part(upload, 1, b"a" * PART), self._part(upload, 2, b"tail")]
                client.complete_multipart_upload(**upload, MultipartUpload={"Parts": parts})
            except BaseException:
                client.abort_multipart_upload(**upload)
                raise
            spanning = client.get_object(**place, Range=f"bytes={PART - 2}-{PART + 3}")["Body"].read()
            _same(spanning, b"aatail")

    def presigned_put(self) -> None:
        """Put an object by an address that carries its own credentials."""
        content = f"cv-yolo {secrets.token_hex(16)}".encode()
        with self._scratch("presigned") as key:
            answer = self._ask("PUT", self._presigned("PUT", key), content=content)
            if not answer.ok:
                raise ServiceUnavailableError(f"returned {answer.status}: {_said(answer)}")
            _same(self._store.get(self._bucket, key), content)

    def presigned_get(self) -> None:
        """Get an object by an address that carries its own credentials."""
        content = f"cv-yolo {secrets.token_hex(16)}"
        with self._scratch("presigned") as key:
            self._store.put(self._bucket, key, content.encode())
            answer = self._ask("GET", self._presigned("GET", key))
            if not answer.ok:
                raise ServiceUnavailableError(f"returned {answer.status}: {_said(answer)}")
            _same(str(answer.body).encode(), content.encode())

    def ask_with_expired_address(self) -> int:
        """Get an object by an address that was good for a minute, an hour ago."""
        with self._scratch("expired") as key:
            self._store.put(self._bucket, key, b"cv-yolo")
            return self._ask("GET", self._presigned("GET", key, ago=timedelta(hours=1))).status

    def checksums(self) -> str:
        """Put with CRC32, which the SDK sends by default, and with a wrong one."""
        with self._scratch("checksum") as key, self._store.translated("put with a checksum"):
            place, client = {"Bucket": self._bucket, "Key": key}, self._store.client
            client.put_object(**place, Body=b"cv-yolo", ChecksumAlgorithm="CRC32")
            got = client.get_object(**place, ChecksumMode="ENABLED")
            _same(got["Body"].read(), b"cv-yolo")
            kept = "accepted and returned" if "ChecksumCRC32" in got else "accepted, not returned"
            wrong = self._refuses(Body=b"cv-yolo", Key=key, ChecksumCRC32=CRC_OF_NOTHING)
            return f"{kept}; a wrong one is {'refused' if wrong else 'accepted'}"

    def keeps_conditions(self) -> bool:
        """Whether a put is refused that must not replace, and leaves what was there."""
        with self._scratch("condition") as key:
            self._store.put(self._bucket, key, b"first")
            refused = self._refuses(Body=b"second", Key=key, IfNoneMatch="*")
            return refused and self._store.get(self._bucket, key) == b"first"

    def clean_up(self) -> int:
        """Remove what is left in our scratch folder, and what killed trials left next to it."""
        with self._store.translated("clean up"), sense(NAME):
            left, uploads = self._left(), self._uploads()
        for key in left:
            self._store.delete(self._bucket, key)
        for upload in uploads:
            with self._store.translated("abort a multipart upload"):
                self._store.client.abort_multipart_upload(Bucket=self._bucket, **upload)
        return len(left) + len(uploads)

    def _left(self) -> list[str]:
        pages = self._store.client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=f"{SCRATCH}/")
        found = [each for page in pages for each in page.get("Contents", ())]
        return [each["Key"] for each in found if self._is_left(each["Key"], each["LastModified"])]

    def _uploads(self) -> list[dict[str, str]]:
        try:
            uploads = self._store.client.list_multipart_uploads(Bucket=self._bucket, Prefix=f"{SCRATCH}/")
        except self._store.client.exceptions.ClientError:  # not every server lists them
            return []
        found = [each for each in uploads.get("Uploads", ()) if self._is_left(each["Key"], each["Initiated"])]
        return [{"Key": each["Key"], "UploadId": each["UploadId"]} for each in found]

    def _is_left(self, key: str, at: datetime) -> bool:
        """Whether it is ours, or older than any trial that may still be running."""
        return bool(key.startswith(self._folder) or datetime.now(UTC) - at > STALE_AFTER)

    def _has(self, bucket: str) -> bool:
        try:
            with self._store.translated(f"look for bucket {bucket}"):
                self._store.client.head_bucket(Bucket=bucket)
        except NotFoundError:
            return False
        return True

    def _list_as(self, who: ObjectStoreAddress) -> int:
        query = {"list-type": "2", "max-keys": "1"}
        place = f"/{self._bucket}"
        now = datetime.now(UTC)
        url = presigned("GET", place, who, endpoint=self.address, at=now, lasts_s=60, query=query)
        return self._ask("GET", url).status

    def _presigned(self, method: str, key: str, *, ago: timedelta = timedelta()) -> str:
        at = datetime.now(UTC) - ago
        return presigned(method, f"/{self._bucket}/{key}", self._address, endpoint=self.address, at=at, lasts_s=60)

    def _part(self, upload: Mapping[str, str], number: int, content: bytes) -> dict[str, Any]:
        part = self._store.client.upload_part(**upload, PartNumber=number, Body=content)
        checksums = {name: value for name, value in part.items() if name.startswith("ChecksumCRC")}
        return {"PartNumber": number, "ETag": part["ETag"], **checksums}

    def _refuses(self, **request: Any) -> bool:
        try:
            self._store.client.put_object(Bucket=self._bucket, **request)
        except self._store.client.exceptions.ClientError as error:
            return bool(error.response["ResponseMetadata"]["HTTPStatusCode"] < SERVERS_FAULT)
        return False

    @contextmanager
    def _scratch(self, name: str) -> Iterator[str]:
        key = f"{self._folder}{name}"
        try:
            yield key
        finally:
            self._store.delete(self._bucket, key)

    def _ask(self, method: str, url: str, *, content: bytes | None = None) -> Answer:
        return ask(method, url, name="the object store", content=content, timeout_s=self._timeout_s)


def _same(came: bytes, kept: bytes) -> None:
    if came != kept:
        raise ServiceUnavailableError(f"{len(kept)} bytes were stored, and {len(came)} different ones returned")


def _said(answer: Answer) -> str:
    return " ".join(str(answer.body).split())[:120]


ALGORITHM = "AWS4-HMAC-SHA256"


def presigned(
    method: str,
    path: str,
    address: ObjectStoreAddress,
    *,
    endpoint: str,
    at: datetime,
    lasts_s: int,
    query: Mapping[str, str] | None = None,
) -> str:
    """An address at which `method` is allowed from `at` on, for so many seconds; `path` is `/bucket/key`."""
    day, moment = f"{at:%Y%m%d}", f"{at:%Y%m%dT%H%M%SZ}"
    scope = f"{day}/{address.region}/s3/aws4_request"
    asked = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{address.access_key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(lasts_s),
        "X-Amz-SignedHeaders": "host",
    } | dict(query or {})
    canonical = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(asked.items()))
    place, host = quote(path, safe="/~"), urlsplit(endpoint).netloc
    request = "\n".join([method, place, canonical, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"])
    text = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{address.secret_key}".encode()
    for part in (day, address.region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"{endpoint.rstrip('/')}{place}?{canonical}&X-Amz-Signature={signature}"


CHUNK_BYTES: Final = 1 << 20
WHOLE_BYTES: Final = 64 << 20  # a larger object is put in parts


class Store(Protocol):
    """An S3 client that translates its errors."""

    @property
    def client(self) -> Any:
        """The client itself."""

    def translated(self, action: str) -> AbstractContextManager[None]:
        """Translate errors inside the block."""


class S3Copies:
    """Copies objects of one store."""

    def __init__(self, store: Store) -> None:
        self._store = store

    def chunks(self, bucket: str, key: str) -> Iterator[bytes]:
        """The content of an object, piece by piece."""
        with self._store.translated(f"get {bucket}/{key}"):
            yield from self._store.client.get_object(Bucket=bucket, Key=key)["Body"].iter_chunks(CHUNK_BYTES)

    def put(self, bucket: str, key: str, file: Path) -> None:
        """Keep a file as an object."""
        from boto3.s3.transfer import TransferConfig

        config = TransferConfig(multipart_threshold=WHOLE_BYTES, multipart_chunksize=WHOLE_BYTES, max_concurrency=2)
        with self._store.translated(f"put {bucket}/{key}"):
            self._store.client.upload_file(str(file), bucket, key, Config=config)
