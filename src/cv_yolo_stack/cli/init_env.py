"""`cv-yolo init-env`: the settings and secrets of the servers that Docker runs."""

import os
import secrets

import click

SECRET_BYTES = 20  # 160 bits; as hexadecimal 40 characters, the most that some object stores take


@click.command("init-env", epilog="\b\nExamples:\n  cv-yolo init-env\n  cv-yolo init-env --check")
@click.option("--force", is_flag=True, help="Replace .env: servers that know the former secrets refuse the new ones.")
@click.option("--add-missing", is_flag=True, help="Keep .env, and add what is new in .env.example.")
@click.option("--check", is_flag=True, help="Write nothing; say whether the servers may start with it.")
@click.option("--environment", is_flag=True, help="With --check: what the environment says, not .env.")
def init_env(force: bool, add_missing: bool, check: bool, environment: bool) -> None:
    """Write .env for compose.yaml from .env.example, with fresh secrets, readable by you alone."""
    from cv_yolo.settings import Settings
    from cv_yolo_stack.workflows import write_env

    if force + add_missing + check > 1 or (environment and not check):
        raise click.UsageError("one of --force, --add-missing and --check; --environment with --check only")
    root = Settings().root
    if check:
        write_env.check_env(root, environment=os.environ if environment else None)
        click.echo("The servers may start with these settings.")
    elif add_missing:
        new = write_env.add_missing(root, new_secret=_new_secret)
        click.echo(f"Added: {', '.join(new)}" if new else "Nothing was missing.")
    else:
        path = write_env.write_env(root, new_secret=_new_secret, force=force)
        click.echo(f"{path}: written, for you alone. Keep a copy where you keep passwords.")
        click.echo("Next: `docker compose up -d`")


def _new_secret() -> str:
    return secrets.token_hex(SECRET_BYTES)
