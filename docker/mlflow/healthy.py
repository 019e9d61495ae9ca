"""Health check: MLflow serves its administrator from the database, and rejects anonymous requests."""

import base64
import os
import sys
import urllib.error
import urllib.request

URL = f"{os.environ['HEALTH_URL']}/api/2.0/mlflow/experiments/search?max_results=1"
REFUSED = 401


def status(headers: dict[str, str]) -> int:
    """The HTTP status of the response."""
    try:
        with urllib.request.urlopen(urllib.request.Request(URL, headers=headers), timeout=10) as answer:
            return int(answer.status)
    except urllib.error.HTTPError as error:
        return error.code


login = f"{os.environ['MLFLOW_AUTH_ADMIN_USERNAME']}:{os.environ['MLFLOW_AUTH_ADMIN_PASSWORD']}"
admin = status({"Authorization": f"Basic {base64.b64encode(login.encode()).decode()}"})
anonymous = status({})
if (admin, anonymous) != (200, REFUSED):
    sys.exit(f"expected 200 for the administrator and {REFUSED} for an anonymous request, got {admin} and {anonymous}")
