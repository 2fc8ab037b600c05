"""The file at the end of `twinlink init`, where it is a link to one that is kept elsewhere."""

from pathlib import Path

import pytest

from app.cli.client import config_file
from app.cli.client.api_client import Service
from app.cli.commands.setup import init_file
from app.cli.output.prompts import Prompts

TEXT = "# Zürich\n"


class Yes(Prompts):
    def yes(self, question: str, *, default: bool = True) -> bool:
        return True


def test_a_link_stays_a_link(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(config_file, "written", lambda *_: TEXT)
    kept = tmp_path / "kept"
    kept.mkdir()
    (kept / "ours.yaml").write_bytes(b"# mine\n")
    link = tmp_path / "twinlink.yaml"
    link.symlink_to(kept / "ours.yaml")
    init_file.write(Service.__new__(Service), Yes(), str(link))
    assert link.is_symlink()
    assert (kept / "ours.yaml").read_bytes() == TEXT.encode()
    assert [it.name for it in kept.iterdir()] == ["ours.yaml"]
