"""MLflow behind the ports of runs and versions: tracker, registry, its conventions; not its server's operation."""
