"""MLflow's server in this process, for what is read by its REST interface."""

import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from cv_yolo.domain.stack import TrackingAddress


@pytest.fixture(scope="session")
def mlflow_server(store: Path) -> Iterator[TrackingAddress]:
    """It serves the database of `store`."""
    from mlflow.server import BACKEND_STORE_URI_ENV_VAR, app, handlers
    from werkzeug.serving import make_server

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(BACKEND_STORE_URI_ENV_VAR, f"sqlite:///{store}/mlflow.db")
        handlers._get_tracking_store()
        handlers._get_model_registry_store()
    server = make_server("127.0.0.1", 0, app, threaded=True)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    yield TrackingAddress(uri=f"http://127.0.0.1:{server.server_port}")
    server.shutdown()
    thread.join()
