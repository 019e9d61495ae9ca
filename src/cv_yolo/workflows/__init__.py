"""The story in plain Python over ports: prepare, train, evaluate, compare and decide, promote."""
