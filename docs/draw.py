"""The drawings of ARCHITECTURE.md, made from the import contracts of pyproject.toml.

`make pictures` runs it; a test fails when the page and the contracts differ.
"""

import re
import sys
import tomllib
from pathlib import Path

ROOT = Path(__file__).parents[1]
PAGE = ROOT / "ARCHITECTURE.md"
_MARKED = re.compile(r"(<!-- rooms: ([a-z.]+) -->\n).*?(<!-- end -->)", re.DOTALL)


def drawn(page: str) -> str:
    """The page with each marked drawing made again."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]
    layers = {
        package: contract["layers"]
        for contract in contracts["contracts"]
        if contract["type"] == "layers"
        for package in contract.get("containers", ["top"])
    }
    return _MARKED.sub(lambda it: f"{it[1]}{_mermaid(layers[it[2]])}{it[3]}", page)


def _mermaid(layers: list[str]) -> str:
    """A box a room, siblings beside each other, an arrow from each layer to the next."""
    rows = [[_name(it) for it in layer.split("|")] for layer in layers]
    lines = ["```mermaid", "flowchart TD"]
    for at, row in enumerate(rows):
        boxes = "; ".join(f'{_id(it)}["{it}"]' for it in row)
        lines.append(f'  subgraph layer{at}[" "]\n    direction LR\n    {boxes}\n  end')
    lines += [f"  layer{at} --> layer{at + 1}" for at in range(len(rows) - 1)]
    return "\n".join([*lines, "```", ""])


def _name(text: str) -> str:
    return text.strip().strip("()")


def _id(name: str) -> str:
    return name.replace(".", "_")


if __name__ == "__main__":
    PAGE.write_text(drawn(PAGE.read_text()))
    sys.stdout.write(f"{PAGE.name} shows the contracts\n")
