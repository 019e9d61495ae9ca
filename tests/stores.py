"""Real S3 servers for tests: rclone's, and MinIO where a binary is found."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.domain.stack import BUCKETS, ObjectStoreAddress
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo_stack.servers.pages import free_port

ACCESS_KEY, SECRET_KEY = "access-key", "secret-key-of-the-tests"
PROGRAMS = {"rclone": "CV_YOLO_RCLONE", "minio": "CV_YOLO_MINIO"}  # and the variable that may say where it is
TIMEOUT_S = 30.0


def program(kind: str) -> str | None:
    """A store's program: named by its variable, beside this Python, or on the PATH."""
    beside = Path(sys.executable).with_name(kind)
    return os.environ.get(PROGRAMS[kind]) or (str(beside) if beside.exists() else shutil.which(kind))


@contextmanager
def store_in(folder: Path, kind: str) -> Iterator[ObjectStoreAddress]:
    """A store of that kind with our buckets, until the block ends."""
    place = f"127.0.0.1:{free_port(0)}"
    address = ObjectStoreAddress(endpoint_url=f"http://{place}", access_key=ACCESS_KEY, secret_key=SECRET_KEY)
    if kind == "rclone":
        environment = {"RCLONE_CONFIG": os.devnull, "RCLONE_AUTH_KEY": f'"{ACCESS_KEY},{SECRET_KEY}"'}
        command = [str(program(kind)), "serve", "s3", "--addr", place, str(folder)]
    else:
        environment = {"MINIO_ROOT_USER": ACCESS_KEY, "MINIO_ROOT_PASSWORD": SECRET_KEY, "MINIO_UPDATE": "off"}
        console = f"127.0.0.1:{free_port(0)}"
        command = [str(program(kind)), "server", "--address", place, "--console-address", console, str(folder)]
    folder.mkdir(parents=True, exist_ok=True)
    quiet = subprocess.DEVNULL
    with subprocess.Popen(command, env=os.environ | environment, stdout=quiet, stderr=quiet) as process:
        try:
            _make_buckets(S3Store(address))
            yield address
        finally:
            process.terminate()


def _make_buckets(store: S3Store) -> None:
    end = time.monotonic() + TIMEOUT_S
    while True:
        try:
            for bucket in BUCKETS:
                store.make_bucket(bucket)
            return
        except ServiceUnavailableError:
            if time.monotonic() > end:
                raise
            time.sleep(0.05)  # it is starting, and does not report when it is done
