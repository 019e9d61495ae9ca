"""Tries on servers and on this machine, for `cv-yolo doctor`; each module is the only one that knows its service."""
