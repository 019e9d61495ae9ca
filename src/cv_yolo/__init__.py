"""From a folder of labelled images to a detector whose promotion you can defend."""

__version__ = "0.1.0"
