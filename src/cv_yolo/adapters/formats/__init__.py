"""Formats of annotations, each a module that reads it, and writes it where it can be exported."""
