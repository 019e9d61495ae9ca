"""Addresses that carry their own credentials: Amazon's Signature Version 4 in the query, path style.

https://docs.aws.amazon.com/AmazonS3/latest/API/sigv4-query-string-auth.html. The SDK signs for now only; to try an
address that has expired without waiting for it, the time is an argument here.
"""

import hashlib
import hmac
from collections.abc import Mapping
from datetime import datetime
from urllib.parse import quote, urlsplit

from cv_yolo.domain.addresses import ObjectStoreAddress

ALGORITHM = "AWS4-HMAC-SHA256"


def presigned(
    method: str,
    path: str,
    address: ObjectStoreAddress,
    *,
    endpoint: str,
    at: datetime,
    lasts_s: int,
    query: Mapping[str, str] | None = None,
) -> str:
    """An address at which `method` is allowed from `at` on, for so many seconds; `path` is `/bucket/key`."""
    day, moment = f"{at:%Y%m%d}", f"{at:%Y%m%dT%H%M%SZ}"
    scope = f"{day}/{address.region}/s3/aws4_request"
    asked = {
        "X-Amz-Algorithm": ALGORITHM,
        "X-Amz-Credential": f"{address.access_key}/{scope}",
        "X-Amz-Date": moment,
        "X-Amz-Expires": str(lasts_s),
        "X-Amz-SignedHeaders": "host",
    } | dict(query or {})
    told = "&".join(f"{quote(name, safe='')}={quote(value, safe='')}" for name, value in sorted(asked.items()))
    place, host = quote(path, safe="/~"), urlsplit(endpoint).netloc
    request = "\n".join([method, place, told, f"host:{host}", "", "host", "UNSIGNED-PAYLOAD"])
    text = "\n".join([ALGORITHM, moment, scope, hashlib.sha256(request.encode()).hexdigest()])
    key = f"AWS4{address.secret_key}".encode()
    for part in (day, address.region, "s3", "aws4_request"):
        key = hmac.new(key, part.encode(), hashlib.sha256).digest()
    signature = hmac.new(key, text.encode(), hashlib.sha256).hexdigest()
    return f"{endpoint.rstrip('/')}{place}?{told}&X-Amz-Signature={signature}"
