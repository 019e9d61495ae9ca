"""Homes as earlier versions left them, each with what its commands said about it; README.md says how one is made."""
