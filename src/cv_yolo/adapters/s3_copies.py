"""Objects of any size, in and out of an S3 service as streams."""

from collections.abc import Iterator
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, Final, Protocol

CHUNK_BYTES: Final = 1 << 20
WHOLE_BYTES: Final = 64 << 20  # a larger object is put in parts


class Store(Protocol):
    """An S3 client, with its errors in our words."""

    @property
    def client(self) -> Any:
        """The client itself."""

    def translated(self, deed: str) -> AbstractContextManager[None]:
        """Have errors in our words inside the block."""


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
