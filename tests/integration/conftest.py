"""What tests with real servers need."""

from tests.faults import faulty_stack
from tests.servers import local_stack
from tests.warm import warm_workers

__all__ = ["faulty_stack", "local_stack", "warm_workers"]
