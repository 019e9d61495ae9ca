"""What the self-contained HTML pages and their sections show; how it is laid out is in `templates`."""
