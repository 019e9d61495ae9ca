"""`cv-yolo init-env`: the settings and secrets of the servers that Docker runs."""

import os
import secrets

import click

SECRET_BYTES = 20  # 160 bits; as hexadecimal 40 characters, the most that some object stores take


@click.command("init-env", epilog="\b\nExamples:\n  cv-yolo init-env\n  cv-yolo init-env --check")
@click.option(
    "--force", is_flag=True, help="Replace .env. Running servers keep the old secrets, and reject the new ones."
)
@click.option("--add-missing", is_flag=True, help="Keep .env, and add new settings of .env.example.")
@click.option("--check", is_flag=True, help="Write nothing; check that the servers can start with it.")
@click.option("--environment", is_flag=True, help="With --check: check the environment instead of .env.")
def init_env(force: bool, add_missing: bool, check: bool, environment: bool) -> None:
    """Create .env for compose.yaml from .env.example, with new secrets, readable only by you."""
    from cv_yolo.settings import Settings
    from cv_yolo_stack.workflows import write_env

    if force + add_missing + check > 1 or (environment and not check):
        raise click.UsageError("use only one of --force, --add-missing and --check; --environment needs --check")
    root = Settings().root
    if check:
        write_env.check_env(root, environment=os.environ if environment else None)
        click.echo("The servers can start with these settings.")
    elif add_missing:
        new = write_env.add_missing(root, new_secret=_new_secret)
        click.echo(f"Added: {', '.join(new)}" if new else "Nothing was missing.")
    else:
        path = write_env.write_env(root, new_secret=_new_secret, force=force)
        click.echo(f"{path}: written, readable only by you. Keep a copy where you keep passwords.")
        click.echo("Next: `docker compose up -d`")


def _new_secret() -> str:
    return secrets.token_hex(SECRET_BYTES)
