"""The commands that operate servers: parse, call one workflow or server, turn the outcome into an exit code.

`COMMANDS` is the entry point `stack` of the group `cv_yolo.commands`, by which `cv-yolo` finds them.
"""

from typing import Final

COMMANDS: Final = {  # name -> module, and the line in `cv-yolo --help`; no line: not for people
    "up": ("cv_yolo_stack.cli.servers", "Start the servers here: objects, database, ZenML, MLflow."),
    "down": ("cv_yolo_stack.cli.servers", "End them."),
    "status": ("cv_yolo_stack.cli.servers", "Show the state of each."),
    "logs": ("cv_yolo_stack.cli.servers", "What one of them wrote."),
    "restart": ("cv_yolo_stack.cli.servers", "Start one of them, or all, anew."),
    "supervise": ("cv_yolo_stack.cli.servers", ""),
    "stack": ("cv_yolo_stack.cli.stack", "Register the stack on ZenML's server; look at it; make keys."),
    "connect": ("cv_yolo_stack.cli.connect", "Use the stack of a ZenML server from now on."),
    "doctor": ("cv_yolo_stack.cli.doctor", "Try every service, and say what mends what fails."),
    "backup": ("cv_yolo_stack.cli.backup", "Keep all records, files and keys in a folder, and prove it."),
    "restore": ("cv_yolo_stack.cli.backup", "Bring a backup back into an empty project."),
    "init-env": ("cv_yolo_stack.cli.init_env", "Write settings and secrets for the servers with Docker."),
    "ui": ("cv_yolo_stack.cli.ui", "Open MLflow's and ZenML's own pages on this project's records."),
}
