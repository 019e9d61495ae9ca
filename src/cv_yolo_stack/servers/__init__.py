"""One module for each server: how it is started and how one sees that it is usable; not its supervision."""
