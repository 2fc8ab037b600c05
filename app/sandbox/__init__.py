"""Jira sites in memory: the reference for tests, the demo, simulation and soak."""

from app.sandbox.app import SiteApp
from app.sandbox.clock import Clock, ManualClock, WallClock
from app.sandbox.courier import Courier
from app.sandbox.faults import DeliveryFault, Fault
from app.sandbox.model import Flavour, Issue, Link, LinkType, Refusal
from app.sandbox.people import Person
from app.sandbox.server import Served, listen, serve, signed_in, token_of
from app.sandbox.site import JiraSite, Lag, Quirks

__all__ = [
    "Clock",
    "Courier",
    "DeliveryFault",
    "Fault",
    "Flavour",
    "Issue",
    "JiraSite",
    "Lag",
    "Link",
    "LinkType",
    "ManualClock",
    "Person",
    "Quirks",
    "Refusal",
    "Served",
    "SiteApp",
    "WallClock",
    "listen",
    "serve",
    "signed_in",
    "token_of",
]
