"""Health check: the administrator can log in to ZenML, and is recognised afterwards."""

import json
import os
import urllib.parse
import urllib.request

API = f"{os.environ['HEALTH_URL']}/api/v1"


def ask(path: str, *, form: dict[str, str] | None = None, token: str | None = None) -> dict[str, object]:
    """The JSON of the response; raises if the server rejects the request."""
    request = urllib.request.Request(API + path, headers={"Authorization": f"Bearer {token}"} if token else {})
    data = urllib.parse.urlencode(form).encode() if form else None
    with urllib.request.urlopen(request, data=data, timeout=10) as answer:
        body: dict[str, object] = json.load(answer)
    return body


user = os.environ["ZENML_DEFAULT_USER_NAME"]
token = ask("/login", form={"username": user, "password": os.environ["ZENML_DEFAULT_USER_PASSWORD"]})["access_token"]
if ask("/current-user", token=str(token))["name"] != user:
    raise SystemExit("the server returned another user")
