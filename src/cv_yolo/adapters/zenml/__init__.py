"""ZenML behind the ports of versions, stacks and the audit log; the pipeline itself is in `pipelines`."""
