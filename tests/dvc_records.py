"""Data sets recorded as `dvc add` and `git commit` do it, in milliseconds: the files of both, written by hand."""

import hashlib
import json
import os
import shutil
import subprocess
from pathlib import Path

import yaml

GIT_USER = {
    "GIT_AUTHOR_NAME": "Ann",
    "GIT_AUTHOR_EMAIL": "ann@example.com",
    "GIT_COMMITTER_NAME": "Ann",
    "GIT_COMMITTER_EMAIL": "ann@example.com",
    "GIT_CONFIG_GLOBAL": os.devnull,
    "GIT_CONFIG_SYSTEM": os.devnull,
}


def a_project(root: Path) -> Path:
    """A project with DVC, whose cache is where DVC has it by default."""
    (root / ".dvc").mkdir(parents=True)
    (root / ".dvc" / "config").write_text("", encoding="utf-8")
    return root


def git(root: Path, *arguments: str) -> str:
    """Run git as the test's own user."""
    environment = os.environ | GIT_USER
    done = subprocess.run(["git", *arguments], cwd=root, env=environment, check=True, capture_output=True, text=True)
    return done.stdout.strip()


def add(project: Path, folder: Path, *, legacy: bool = False, pointer: Path | None = None) -> str:
    """What `dvc add` does: the files into the cache, and the record beside the folder; returns DVC's hash."""
    cache = project / ".dvc" / "cache" if legacy else project / ".dvc" / "cache" / "files" / "md5"
    listed = []
    for path in sorted(each for each in folder.rglob("*") if each.is_file()):
        md5 = hashlib.md5(path.read_bytes(), usedforsecurity=False).hexdigest()
        listed.append({"md5": md5, "relpath": path.relative_to(folder).as_posix()})
        place = cache / md5[:2] / md5[2:]
        place.parent.mkdir(parents=True, exist_ok=True)
        shutil.copyfile(path, place)
    content = json.dumps(sorted(listed, key=lambda each: each["relpath"])).encode()
    dvc_hash = hashlib.md5(content, usedforsecurity=False).hexdigest() + ".dir"
    place = cache / dvc_hash[:2] / dvc_hash[2:]
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_bytes(content)
    record = pointer or folder.with_name(f"{folder.name}.dvc")
    record.parent.mkdir(parents=True, exist_ok=True)
    outs = [{"md5": dvc_hash, "nfiles": len(listed), "hash": "md5", "path": folder.name}]
    record.write_text(yaml.safe_dump({"outs": outs}), encoding="utf-8")
    return dvc_hash


def commit(project: Path, subject: str) -> str:
    """Commit all records; returns the commit."""
    if not (project / ".git").exists():
        git(project, "init", "-q", "-b", "main")
        (project / ".gitignore").write_text("/data/*/\n/.dvc/cache\n", encoding="utf-8")
    git(project, "add", "-A")
    git(project, "commit", "-q", "--allow-empty", "-m", subject)
    return git(project, "rev-parse", "HEAD")
