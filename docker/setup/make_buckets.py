"""Create the buckets of the stack, and test each with a put, a get and a delete."""

import os
import sys

from cv_yolo.adapters.s3 import S3Store
from cv_yolo.domain.stack import BUCKETS, ObjectStoreAddress
from cv_yolo.errors import CvYoloError


def main() -> int:
    """Print each bucket that is ready; returns the exit code."""
    store = S3Store(
        ObjectStoreAddress(
            endpoint_url=os.environ["S3_URL"],
            access_key=os.environ["CV_YOLO_S3_ACCESS_KEY"],
            secret_key=os.environ["CV_YOLO_S3_SECRET_KEY"],
        )
    )
    try:
        for bucket in BUCKETS:
            made = store.make_bucket(bucket)
            store.use(bucket)
            print(f"bucket {bucket}: {'created' if made else 'exists'}", flush=True)
    except CvYoloError as error:
        print(f"error: {error.message}", file=sys.stderr)
        return error.exit_code
    return 0


if __name__ == "__main__":
    sys.exit(main())
