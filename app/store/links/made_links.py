"""Links that this service made or adopted: kept for good, since none of them is ever an origin.

A row is written with the audit row that says so. It goes where the changelog names another author
for the link that has this id now: then the link is a person's.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from app.core.links import Ends, IssueId, Link, LinkId, TypeId
from app.store.pool import Connection


@dataclass(frozen=True, slots=True)
class Made:
    """`doubted`: the changelog is to be asked who made the link that has this id now."""

    type_id: TypeId
    ends: Ends
    doubted: bool

    def names(self, type_id: TypeId, ends: Ends) -> bool:
        """Whether a link of this type and with these ends, under the same id, is that link."""
        return self.type_id == type_id and self.ends in (ends, ends.flipped())


@dataclass(frozen=True, slots=True)
class NewlyMade:
    """One link on a site, given by the site's name as the audit has it."""

    site: str
    link_id: str
    type_id: str
    source_id: str
    destination_id: str
    adopted: bool
    doubted: bool


async def put(conn: Connection, made: Sequence[NewlyMade], now: datetime) -> None:
    """Keep these. Call in the transaction that writes them to the audit."""
    await conn.execute(
        """
        INSERT INTO made_links (site_id, link_id, type_id, source_id, destination_id, adopted,
            doubted, made_at)
        SELECT DISTINCT ON (s.id, u.link) s.id, u.link, u.type, u.source, u.destination,
            u.adopted, u.doubted, $8::timestamptz
        FROM unnest($1::text[], $2::bigint[], $3::bigint[], $4::bigint[], $5::bigint[],
                    $6::boolean[], $7::boolean[]) WITH ORDINALITY
            u (site, link, type, source, destination, adopted, doubted, at)
        JOIN sites s ON s.name = u.site
        -- An upsert may meet a row only once: the last word of a batch counts.
        ORDER BY s.id, u.link, u.at DESC
        ON CONFLICT (site_id, link_id) DO UPDATE SET type_id = excluded.type_id,
            source_id = excluded.source_id, destination_id = excluded.destination_id,
            doubted = made_links.doubted AND excluded.doubted, made_at = excluded.made_at
        """,
        [it.site for it in made],
        [int(it.link_id) for it in made],
        [int(it.type_id) for it in made],
        [int(it.source_id) for it in made],
        [int(it.destination_id) for it in made],
        [it.adopted for it in made],
        [it.doubted for it in made],
        now,
    )


async def among(conn: Connection, site_id: int, links: Iterable[LinkId]) -> Mapping[LinkId, Made]:
    """Those of *links* on a site that we made or adopted."""
    rows = await conn.fetch(
        "SELECT * FROM made_links WHERE site_id = $1 AND link_id = ANY($2::bigint[])",
        site_id,
        [int(link) for link in links],
    )
    return {
        LinkId(str(row["link_id"])): Made(
            TypeId(str(row["type_id"])),
            Ends(IssueId(str(row["source_id"])), IssueId(str(row["destination_id"]))),
            # An adopted link is another account's by its changelog: nothing can be asked there.
            row["doubted"] and not row["adopted"],
        )
        for row in rows
    }


async def recall(conn: Connection, site_id: int, links: Sequence[Link]) -> None:
    """Keep these, which the changelog says we made and the database had lost."""
    await conn.executemany(
        """INSERT INTO made_links (site_id, link_id, type_id, source_id, destination_id, adopted,
               doubted) VALUES ($1, $2, $3, $4, $5, false, false) ON CONFLICT DO NOTHING""",
        [
            (site_id, int(it.id), int(it.type_id), int(it.source.id), int(it.destination.id))
            for it in links
        ],
    )


async def rescued(conn: Connection, site_id: int, links: Iterable[LinkId]) -> set[LinkId]:
    """Those of *links* on a site that we put back as what they were: another's."""
    rows = await conn.fetch(
        """SELECT DISTINCT a.link_id FROM audit a JOIN sites s ON s.name = a.site
           WHERE s.id = $1 AND a.link_id = ANY($2::bigint[]) AND a.operation = 'create'
             AND a.status = 'applied' AND NOT a.managed""",
        site_id,
        [int(link) for link in links],
    )
    return {LinkId(str(row["link_id"])) for row in rows}


async def believe(conn: Connection, site_id: int, links: Iterable[LinkId]) -> None:
    """The changelog names our account for these."""
    await conn.execute(
        "UPDATE made_links SET doubted = false WHERE site_id = $1 AND link_id = ANY($2::bigint[])",
        site_id,
        [int(link) for link in links],
    )


async def disown(conn: Connection, site_id: int, links: Iterable[LinkId]) -> None:
    """The changelog names another author for the links that have these ids now."""
    await conn.execute(
        "DELETE FROM made_links WHERE site_id = $1 AND link_id = ANY($2::bigint[]) AND NOT adopted",
        site_id,
        [int(link) for link in links],
    )


async def doubt(conn: Connection, site_id: int) -> None:
    """This Jira went back in time: who made what has these ids now is to be asked again."""
    await conn.execute("UPDATE made_links SET doubted = true WHERE site_id = $1", site_id)
