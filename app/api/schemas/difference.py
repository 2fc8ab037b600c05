"""What another configuration of a connection would change."""

from pydantic import Field

from app.api.schemas.base import Answer
from app.api.schemas.connection import ModeName
from app.store.config.connections import ConnectionRow
from app.sync.connections.difference import Difference


class SettingChange(Answer):
    field: str = Field(description="As in the body, such as `link_types` or `guard.hour`")
    before: list[str]
    after: list[str]


class DifferenceAnswer(Answer):
    revision: int = Field(description="That it was compared with: send it as If-Match")
    mode: ModeName
    changes: list[SettingChange] = Field(description="Empty: the body is what is stored")
    newly_written: list[str] = Field(description="Sites that only the new one writes to")
    managed: int = Field(description="Links that are managed now")
    suspended: int = Field(description="Of these, links that the new one no longer covers")
    resumed: int = Field(description="Suspended links that it covers again")

    @classmethod
    def of(cls, row: ConnectionRow, it: Difference) -> "DifferenceAnswer":
        return cls(
            revision=row.revision,
            mode=row.mode.value,
            changes=[
                SettingChange(field=one.field, before=list(one.before), after=list(one.after))
                for one in it.settings
            ],
            newly_written=list(it.newly_written),
            managed=it.effects.managed,
            suspended=it.effects.suspended,
            resumed=it.effects.resumed,
        )
