"""The sandbox sites as the console's panel shows them."""

from collections.abc import Mapping, Sequence
from typing import Any

from app.console.pages.sandbox import PanelRefused
from app.demo.page.state import View
from app.demo.stage import SideName
from app.sandbox import Person, Refusal
from app.sandbox.people import person_on

PERSON = "ann"


class SandboxPanel:
    def __init__(self, view: View) -> None:
        self._view = view

    def sites(self, find: str, most: int) -> Sequence[Mapping[str, Any]]:
        return [self._site(side, find.upper(), most) for side in self._view.stage.sites]

    def link(self, side: str, source: str, type_name: str, destination: str) -> None:
        try:
            self._person(side).link(source, type_name, destination)
        except Refusal as refusal:
            raise PanelRefused(words(refusal)) from None
        except KeyError:
            raise PanelRefused("There is no such link type.") from None

    def unlink(self, side: str, number: int) -> None:
        try:
            self._person(side).unlink(number)
        except Refusal as refusal:
            raise PanelRefused(words(refusal)) from None

    def _site(self, side: SideName, find: str, most: int) -> Mapping[str, Any]:
        shown, choices = self._view.site(side, -1), self._view.choices()[side]
        links = [
            it for it in shown["list"] if not find or find in (it["source"], it["destination"])
        ]
        return {
            "side": side,
            "title": choices["title"],
            "types": choices["types"],
            "example": choices["issues"][:2],
            "links": links[:most],
            "total": len(links),
            "others": shown["unmanaged"],
            "intact": shown["intact"],
        }

    def _person(self, side: str) -> Person:
        for name, served in self._view.stage.sites.items():
            if name == side:
                return person_on(served.site, PERSON)
        raise PanelRefused("There is no such site.")


def words(refusal: Refusal) -> str:
    """Jira's words: they are the sandbox's, and about keys at most."""
    return " ".join([*refusal.messages, *refusal.errors.values()])
