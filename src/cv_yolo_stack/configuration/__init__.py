"""The configuration of a local stack: the choice, ports, folders, keys and programs; not its processes."""
