"""Data sets: boxes, annotations, classes, the manifest with its revision, and what is odd; not how files are read."""
