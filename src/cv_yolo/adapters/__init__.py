"""One module for each outside service or library; each is the only place that names it."""
