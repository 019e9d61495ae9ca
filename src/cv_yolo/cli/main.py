"""`cv-yolo`: the group of commands, and the one place where an error becomes an exit code."""

import importlib
import os
import sys
from collections.abc import Sequence
from functools import cache
from importlib.metadata import entry_points
from typing import Final

import click

from cv_yolo import __version__
from cv_yolo.cli.stopping import INTERRUPTED, leave_at_once, leave_without_waiting, say, terminable
from cv_yolo.disk import explained, says_full
from cv_yolo.errors import (
    CvYoloError,
    DiskFullError,
    InputError,
    PolicyRefusedError,
    ServiceUnavailableError,
    StoppedError,
    one_line,
)

COMMANDS: Final = {  # name -> module, imported only when the command is asked for, and the line in `--help`
    "init": ("cv_yolo.cli.commands.init", "Make a folder a project: configurations, policies, demo, CI files."),
    "baseline": ("cv_yolo.cli.commands.grid", "Train and evaluate one detector, and decide on its promotion."),
    "grid": ("cv_yolo.cli.commands.grid", "Train a grid of detectors, compare them, promote the best."),
    "data": ("cv_yolo.cli.commands.data", "Import, check, compare, generate, export, push and pull data sets."),
    "runs": ("cv_yolo.cli.commands.runs", "List the tracked runs."),
    "show": ("cv_yolo.cli.commands.runs", "Show one run: parameters, scores, origin."),
    "evaluate": ("cv_yolo.cli.commands.evaluate", "Evaluate a model, or COCO results, with confidence intervals."),
    "compare": ("cv_yolo.cli.commands.evaluate", "Compare two models on the same images."),
    "promote": ("cv_yolo.cli.commands.promote", "Promote a version to a stage, if the policy allows it."),
    "models": ("cv_yolo.cli.commands.models", "List registered versions; check that all records agree."),
    "history": ("cv_yolo.cli.commands.models", "Show the audit log: who moved which version, and why."),
    "rollback": ("cv_yolo.cli.commands.models", "Restore the previous version of a stage."),
    "withdraw": ("cv_yolo.cli.commands.models", "Remove the version from a stage, and leave the stage empty."),
    "get": ("cv_yolo.cli.commands.get", "Write a model's weights and its description to a folder."),
    "worker": ("cv_yolo.cli.commands.worker", ""),  # no line: not for people
}
GROUP: Final = "cv_yolo.commands"  # entry points of other packages: tables like `COMMANDS`

FULL: Final = "the disk is full"
NOT_OF_THE_DISK: Final = (InputError, PolicyRefusedError, StoppedError)

HELP = """From a folder of labelled images to a detector whose promotion you can defend.

\b
Examples:
  cv-yolo init detector && cd detector        a project of your own, with all that the demo needs
  cv-yolo grid --config configs/demo.yaml     the whole workflow on generated images, offline
  cv-yolo data import cats.zip --name cats    bring in your own images, in the format that you have
  cv-yolo baseline                            one run on data/tiny_coco
  cv-yolo grid --epochs 3,10 --image-size 320 another grid
  cv-yolo runs                                all runs with their scores
  cv-yolo compare staging e5_s416             two models on the same images, with intervals
  cv-yolo promote 4 --to production           if the policy allows it
  cv-yolo models --json                       versions and stages as JSON
  cv-yolo get production --out model          its weights, and model.json with all that their use needs
  cv-yolo history --verify                    verify the audit log
  cv-yolo rollback                            restore the previous version
  cv-yolo withdraw staging --reason "…"       leave the stage empty
  cv-yolo ui                                  open MLflow's and ZenML's pages
  cv-yolo up && cv-yolo stack register        start local servers, and use them from now on
  cv-yolo doctor                              test every service
  cv-yolo backup --drill                      verify that a backup can be restored

\b
Exit codes:
  0 done · 1 a run failed · 2 your input · 3 a service is down · 4 the policy said no · 130 stopped
"""


@cache
def commands() -> dict[str, tuple[str, str]]:
    """Our commands, then those of other installed packages."""
    found = dict(COMMANDS)
    for point in entry_points(group=GROUP):
        found |= point.load()
    return found


class LazyGroup(click.Group):
    """Imports a command's module only when the command is called: `--help` stays quick."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """The commands in the order of the tables."""
        return [name for name, (_, summary) in commands().items() if summary]

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import the command's module and take the command from it."""
        if cmd_name not in commands():
            return None
        module = importlib.import_module(commands()[cmd_name][0])
        command: click.Command = getattr(module, cmd_name.replace("-", "_"))
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands without importing them."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, summary) for name, (_, summary) in commands().items() if summary])


@click.group(
    cls=LazyGroup, help=HELP, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100}
)
@click.version_option(__version__, prog_name="cv-yolo")
def cli() -> None:
    """The group; its help text is `HELP`."""


def run(arguments: Sequence[str] | None = None) -> int:
    """Run one command and return the exit code."""
    try:
        with terminable():
            result = cli.main(args=None if arguments is None else list(arguments), standalone_mode=False)
    except (click.exceptions.Abort, KeyboardInterrupt):
        return _report(StoppedError("stopped"))
    except click.ClickException as error:
        error.show()
        return error.exit_code
    except CvYoloError as error:
        return _report(error)
    except Exception as error:  # of whichever library wrote last
        if not says_full(error):
            raise
        return _report(DiskFullError(_reason(error)))
    except SystemExit as error:
        if not isinstance(error.__context__, BrokenPipeError):
            raise
        return 0  # the reader has closed the pipe: `cv-yolo runs | head`
    return result if isinstance(result, int) else 0


def main() -> None:
    """The entry point of the command `cv-yolo`."""
    code = run()
    if INTERRUPTED.is_set():
        leave_at_once(code)
    if code in {ServiceUnavailableError.exit_code, StoppedError.exit_code}:
        leave_without_waiting(code)
    sys.exit(code)


def _report(error: CvYoloError) -> int:
    """Print the error and its hint; a full disk comes first: nothing else helps."""
    full = None if isinstance(error, NOT_OF_THE_DISK) or error.message.startswith(FULL) else _explained(error)
    say(full or error)
    return error.exit_code


def _explained(error: CvYoloError) -> DiskFullError | None:
    from cv_yolo.settings import Settings

    try:
        settings = Settings()
        return explained(error, places=(settings.home, settings.root), home=settings.home)
    except (CvYoloError, ValueError, OSError):  # settings that cannot be read are the error that is being reported
        return None


def _reason(error: Exception) -> str:
    if isinstance(error, OSError) and error.errno is not None:
        return f"{error.filename2 or error.filename or 'the disk'}: {os.strerror(error.errno)}"
    return one_line(error)
