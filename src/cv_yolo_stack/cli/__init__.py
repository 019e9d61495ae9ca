"""The commands that operate servers: parse, call one workflow or server, turn the outcome into an exit code.

`COMMANDS` is the entry point `stack` of the group `cv_yolo.commands`, by which `cv-yolo` finds them.
"""

from typing import Final

COMMANDS: Final = {  # name -> module, and the line in `cv-yolo --help`; no line: not for people
    "up": ("cv_yolo_stack.cli.servers", "Start the local servers: object store, database, ZenML, MLflow."),
    "down": ("cv_yolo_stack.cli.servers", "Stop the local servers."),
    "status": ("cv_yolo_stack.cli.servers", "Show server status."),
    "logs": ("cv_yolo_stack.cli.servers", "Show the logs of a server."),
    "restart": ("cv_yolo_stack.cli.servers", "Restart one server, or all."),
    "supervise": ("cv_yolo_stack.cli.servers", ""),
    "stack": ("cv_yolo_stack.cli.stack", "Register the stack on ZenML's server; show it; create API keys."),
    "connect": ("cv_yolo_stack.cli.connect", "Connect to the stack of a ZenML server."),
    "doctor": ("cv_yolo_stack.cli.doctor", "Test every service, and show how to fix what fails."),
    "backup": ("cv_yolo_stack.cli.backup", "Back up all records, files and keys, and verify the backup."),
    "restore": ("cv_yolo_stack.cli.backup", "Restore a backup into an empty project."),
    "init-env": ("cv_yolo_stack.cli.init_env", "Create the settings and secrets for compose.yaml."),
    "ui": ("cv_yolo_stack.cli.ui", "Open MLflow's and ZenML's pages on this project's records."),
}
