"""What tests of whole commands share."""

from tests.warm import warm_workers

__all__ = ["warm_workers"]
