"""The command line: parse, call one workflow, turn the outcome into an exit code."""
