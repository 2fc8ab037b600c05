"""The error of a step whose claim is not true."""


class DemoFailed(Exception):
    """Its text is for a person: what was expected, and what was found."""


def check(claim: str, *, expected: object, found: object) -> None:
    """Raise `DemoFailed` unless both are equal."""
    if expected != found:
        raise DemoFailed(f"{claim}: expected {expected}, found {found}")
