"""The end of `twinlink init`: what is set up, as the file that `twinlink apply` takes."""

from pathlib import Path

from app.cli.client import config_file
from app.cli.client.api_client import Service
from app.cli.output import output
from app.cli.output.errors import UsageError
from app.cli.output.prompts import Prompts

DEFAULT = "twinlink.yaml"


def refuse_unwritable(file: str) -> None:
    """Before the first question: an answer should not be lost to a mistyped folder."""
    path = Path(file)
    if path.is_dir() or not path.absolute().parent.is_dir():
        raise UsageError(f"--file: {file} cannot be written: there is no such folder, or it is one")


def write(api: Service, ask: Prompts, file: str) -> None:
    """Nothing is overwritten unless a person agrees; a file that says the same stays, and so does a
    link to a file that is kept elsewhere."""
    path, text = Path(file), config_file.written(api, file)
    try:
        path = path.resolve()
        there = path.read_text(encoding="utf-8") if path.exists() else None
        if there == text:
            output.note(f"{file} says the same already")
            return
        question = f"{file} says something else; replace it?"
        if there is not None and not ask.yes(question, default=False):
            output.note(f"{file} is as it was; `twinlink export` prints what is set up")
            return
        unfinished = path.with_name(path.name + ".unfinished")
        unfinished.write_text(text, encoding="utf-8")
        unfinished.replace(path)
    except (OSError, UnicodeDecodeError) as error:
        output.note(f"{file} could not be written ({type(error).__name__}): twinlink export > FILE")
        return
    output.note(f"all of it is in {file}, without secrets: twinlink apply -f {file}")
