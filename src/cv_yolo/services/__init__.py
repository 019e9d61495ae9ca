"""Start, check and stop local services."""
