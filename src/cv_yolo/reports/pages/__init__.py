"""Self-contained HTML pages and their sections; charts come from `charts`, rows from `tables`."""
