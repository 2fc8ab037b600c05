"""What is handed on: a wheel that runs in an empty folder, and a source archive that is whole."""

import os
import shutil
import subprocess
import sys
import tarfile
import zipfile
from pathlib import Path

import pytest

from app import __version__

ROOT = Path(__file__).parent.parent
LEFT_OUT = shutil.ignore_patterns(".*", "build", "dist", "*.egg-info", "__pycache__")
HIDDEN = (".env.example", ".editorconfig", ".pre-commit-config.yaml")

pytestmark = [pytest.mark.slow, pytest.mark.first]


@pytest.fixture(scope="module")
def built(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with the wheel and the source archive, made from a copy of the tree."""
    source = tmp_path_factory.mktemp("source") / "twinlink"
    out = tmp_path_factory.mktemp("dist")
    shutil.copytree(ROOT, source, ignore=LEFT_OUT)
    for name in HIDDEN:
        shutil.copy(ROOT / name, source / name)
    for what in ("sdist", "wheel"):
        make = f"import setuptools.build_meta as b; b.build_{what}({str(out)!r})"
        subprocess.run([sys.executable, "-c", make], cwd=source, check=True, capture_output=True)
    return out


def test_the_wheel_has_what_runs_and_its_licence(built: Path) -> None:
    (wheel,) = built.glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
        about = next(it for it in names if it.endswith(".dist-info/METADATA"))
        told = archive.read(about).decode()
    ours = {
        path.relative_to(ROOT).as_posix()
        for top in ("app", "workers")
        for path in (ROOT / top).rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert ours <= names
    assert {it.partition("/")[0] for it in names if ".dist-info" not in it} == {"app", "workers"}
    assert "License-Expression: Apache-2.0" in told
    assert any(it.endswith("licenses/LICENSE") for it in names)


def test_the_source_archive_is_whole(built: Path) -> None:
    (archive,) = built.glob("*.tar.gz")
    with tarfile.open(archive) as source:
        names = {name.partition("/")[2] for name in source.getnames()}
    tests = {path.relative_to(ROOT).as_posix() for path in (ROOT / "tests").rglob("*.py")}
    assert tests <= names
    for folder in ("deploy", "docs", "openapi", "requirements"):
        files = {
            path.relative_to(ROOT).as_posix()
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert files <= names
    for name in (*HIDDEN, "LICENSE", "README.md", "CHANGELOG.md", "SECURITY.md", "Makefile"):
        assert name in names


def test_it_runs_in_an_empty_folder(built: Path, tmp_path: Path) -> None:
    (wheel,) = built.glob("*.whl")
    home, empty = tmp_path / "site", tmp_path / "empty"
    empty.mkdir()
    shutil.unpack_archive(wheel, home, "zip")
    env = {"PATH": os.environ["PATH"], "PYTHONPATH": str(home), "HOME": str(empty)}

    def run(program: str, *arguments: str) -> str:
        done = subprocess.run(
            [sys.executable, "-P", "-c", program, *arguments],
            cwd=empty, env=env, check=False, capture_output=True, text=True,
        )  # fmt: skip
        assert done.returncode == 0, done.stdout + done.stderr
        return done.stdout

    assert str(home) in run("import app; print(app.__file__)"), "the wheel's, not this checkout's"
    twinlink = "from app.cli.main import main; main()"
    assert run(twinlink, "--version") == f"twinlink {__version__}\n"
    run(twinlink, "up", "--demo", "--once")
