"""What a local stack is: the choice, ports, folders, keys and programs; not its processes."""
