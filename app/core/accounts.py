"""Accounts as they may be stored: a keyed hash, which names no person and can be compared."""

import hashlib
import hmac
from collections.abc import Iterable
from dataclasses import replace

from app.core.evidence import IssueView, LinkChange
from app.core.links import AccountId


def keyed(account: str, salt: bytes) -> AccountId:
    """An account as it may be stored: equal accounts of this installation give equal texts, and a
    text reveals nothing else."""
    return AccountId(hmac.new(salt, account.encode(), hashlib.sha256).hexdigest())


def unnamed(changes: Iterable[LinkChange], salt: bytes) -> tuple[LinkChange, ...]:
    """The entries with every author keyed, so that a stored account can be compared."""
    return tuple(
        replace(it, author=None if it.author is None else keyed(it.author, salt)) for it in changes
    )


def disguised(view: IssueView, salt: bytes) -> IssueView:
    """The view with every author keyed."""
    return view if view.changes is None else replace(view, changes=unnamed(view.changes, salt))
