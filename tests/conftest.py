"""What many tests need: a project's folder, one home for ZenML, and an environment that is put back."""

import os
import shutil
import signal
import tempfile
from collections.abc import Iterator
from pathlib import Path

import hypothesis
import pytest
from PIL import Image

from cv_yolo.container import Container
from cv_yolo.container.workers import WORKER_SERVER
from cv_yolo.settings import Settings

# The same examples on every run, on slow machines too; `pytest --hypothesis-profile=default` looks for new ones.
hypothesis.settings.load_profile("ci")

FOREIGN = ("CV_YOLO_", "ZENML_STORE_", "MLFLOW_TRACKING_")
TOOLS = (
    "CV_YOLO_MINIO",
    "CV_YOLO_COCO128",
    WORKER_SERVER,
)  # where the tests find what they share, or not every machine has
OURS = ("ZENML_", "MLFLOW_")  # which commands that a test starts must not inherit: they say so themselves
HOME = pytest.StashKey[Path]()
# Files that take half a minute or more: pytest-xdist starts them first, so that no worker waits for one at the end.
LONG = (
    *("integration/test_faults_servers.py", "integration/test_faults_keys.py", "integration/test_grid_on_server.py"),
    *("integration/test_audit_log_on_the_server.py", "integration/test_register.py", "integration/test_ci_job.py"),
    *("integration/test_up.py", "integration/test_delivery.py", "integration/test_backup.py"),
    *("e2e/test_wheel.py", "e2e/test_grid.py", "e2e/test_failures.py", "e2e/test_decisions.py", "e2e/test_homes.py"),
    "e2e/test_tutorial.py",
    *("statistics/test_gate_calibration.py", "unit/cli/commands/test_models.py"),
    *("unit/adapters/ultralytics/test_training_data.py", "unit/adapters/ultralytics/test_weights.py"),
    *("unit/adapters/ultralytics/test_alone.py", "unit/adapters/ultralytics/test_ultralytics.py"),
    *("unit/cli/test_silent_servers.py", "unit/test_settings.py", "contract/test_model_registry.py"),
    *("unit/workflows/test_two_machines.py", "unit/domain/promotion/test_chain.py", "unit/workflows/test_decide.py"),
)


def pytest_configure(config: pytest.Config) -> None:
    """ZenML and MLflow leave the user's settings alone from the first import on, which collecting the tests does."""
    home = config.stash[HOME] = Path(tempfile.mkdtemp(prefix="cv-yolo-tests-"))
    isolation = Settings(root=home).isolation()
    os.environ.update({name: value for name, value in isolation.items() if name.startswith(OURS)})


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The long files first, in their order; the others as they were found."""
    place = {Path(__file__).parent / name: number for number, name in enumerate(LONG)}
    items.sort(key=lambda item: place.get(item.path, len(place)))


def pytest_unconfigure(config: pytest.Config) -> None:
    """What the libraries kept is of no use to anybody else."""
    shutil.rmtree(config.stash[HOME], ignore_errors=True)


@pytest.fixture(autouse=True)
def environment_is_put_back() -> Iterator[None]:
    """`Container` sets the libraries' variables for its process; no test hands them on to the next."""
    before = dict(os.environ)
    for name in [name for name in before if name.startswith(FOREIGN) and name not in TOOLS]:
        os.environ.pop(name)
    yield
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture
def signals_of_a_terminal() -> Iterator[None]:
    """Signals do here, and in what is started from here, what they do in a terminal's foreground.

    A script's background has SIGINT ignored, `nohup` SIGHUP, and a child inherits that.
    """
    usual = {signal.SIGINT: signal.default_int_handler, signal.SIGTERM: signal.SIG_DFL}
    if hasattr(signal, "SIGHUP"):
        usual[signal.SIGHUP] = signal.SIG_DFL
    former = {number: signal.signal(number, handler) for number, handler in usual.items()}
    yield
    for number, handler in former.items():
        signal.signal(number, handler)


@pytest.fixture
def ctrl_c_is_ignored(signals_of_a_terminal: None) -> Iterator[None]:
    """As in the background of a script: SIGINT does nothing, neither here nor in what is started from here."""
    former = signal.signal(signal.SIGINT, signal.SIG_IGN)
    yield
    signal.signal(signal.SIGINT, former)


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """An empty project that is the current folder."""
    root = tmp_path / "project"
    root.mkdir()
    monkeypatch.chdir(root)
    monkeypatch.setenv("CV_YOLO_ROOT", str(root))
    return root


@pytest.fixture(scope="session")
def zenml_home(pytestconfig: pytest.Config) -> Path:
    """The one home of ZenML in this process: its client is made once, and keeps the home it was made with."""
    return pytestconfig.stash[HOME]


@pytest.fixture
def zenml_container(zenml_home: Path) -> Container:
    """Our parts, on the one home of ZenML; its source root is set, since xdist's workers have no main module."""
    from zenml.utils.source_utils import set_custom_source_root

    set_custom_source_root(str(Path(__file__).resolve().parents[1] / "src"))
    return Container(Settings(root=zenml_home))


@pytest.fixture(scope="session")
def store(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """MLflow's one folder in this process: its database is made once, and every test takes names of its own."""
    return tmp_path_factory.mktemp("mlflow")


@pytest.fixture(scope="module")
def ultralytics_home(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """Ultralytics reads its environment when it is imported, and patches `PIL.Image.open`, which is put back."""
    root, opener, before = tmp_path_factory.mktemp("ultralytics"), Image.open, dict(os.environ)
    os.environ.update(Settings(root=root).isolation())
    os.environ["YOLO_OFFLINE"] = "true"
    __import__("ultralytics")
    os.environ.clear()
    os.environ.update(before)
    yield root
    Image.open = opener
