"""Charts as inline SVG that need no library and no script; not where they stand on a page."""
