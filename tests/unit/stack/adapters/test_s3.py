"""Our presigned addresses are those that the SDK makes."""

from datetime import datetime
from urllib.parse import parse_qs, urlsplit

import boto3
import pytest
from botocore.config import Config

from cv_yolo.domain.stack import ObjectStoreAddress
from cv_yolo_stack.adapters.s3 import presigned

ADDRESS = ObjectStoreAddress(
    endpoint_url="http://127.0.0.1:9000", access_key="access", secret_key="hidden", region="eu-west-3"
)


@pytest.mark.parametrize(("method", "action"), [("GET", "get_object"), ("PUT", "put_object")])
@pytest.mark.parametrize("key", ["a/b.txt", "with space/ä+~.txt"])
def test_an_address_is_signed_as_the_sdk_signs_it(method: str, action: str, key: str) -> None:
    client = boto3.client(
        "s3",
        endpoint_url=ADDRESS.endpoint_url,
        aws_access_key_id=ADDRESS.access_key,
        aws_secret_access_key=ADDRESS.secret_key,
        region_name=ADDRESS.region,
        config=Config(signature_version="s3v4", s3={"addressing_style": "path"}),
    )
    theirs = client.generate_presigned_url(action, Params={"Bucket": "bucket", "Key": key}, ExpiresIn=60)
    query = parse_qs(urlsplit(theirs).query)
    at = datetime.strptime(query["X-Amz-Date"][0], "%Y%m%dT%H%M%SZ")  # noqa: DTZ007 - Z is UTC
    ours = presigned(method, f"/bucket/{key}", ADDRESS, endpoint="http://127.0.0.1:9000", at=at, lasts_s=60)
    assert urlsplit(ours).path == urlsplit(theirs).path
    assert parse_qs(urlsplit(ours).query) == query
