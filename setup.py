"""The step of the build that pyproject.toml cannot say: put the files that a new project shares into the package."""

import sys
from pathlib import Path

from setuptools import setup
from setuptools.command.build_py import build_py

sys.path.insert(0, str(Path(__file__).parent / "src"))

from cv_yolo.adapters.files.starter import in_package, shared_paths  # which needs nothing but Python


class BuildWithSharedFiles(build_py):
    """Copies them into the build, and into source distributions; an editable installation reads the repository."""

    def run(self) -> None:
        """Build the modules, then copy."""
        super().run()
        for path, target in self._copies().items():
            self.mkpath(str(Path(target).parent))
            self.copy_file(path, target)

    def get_source_files(self) -> list[str]:
        """What a source distribution needs."""
        return [*super().get_source_files(), *shared_paths()]

    def get_outputs(self, include_bytecode: bool = True) -> list[str]:  # noqa: FBT001, FBT002 - setuptools' signature
        """What was built."""
        return [*super().get_outputs(include_bytecode), *self._copies().values()]

    def _copies(self) -> dict[str, str]:
        shared = Path(self.build_lib) / "cv_yolo" / "starter" / "shared"
        return {} if self.editable_mode else {path: str(shared / in_package(path)) for path in shared_paths()}


setup(cmdclass={"build_py": BuildWithSharedFiles})
