"""One module for each command or group of commands: parse, call one workflow, exit code; no rule."""
