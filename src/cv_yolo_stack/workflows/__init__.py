"""Registering the stack on ZenML's server, the settings for Docker, and `doctor/`; not what runs on this machine."""
