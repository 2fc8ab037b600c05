"""The link types of each site as it spells them, and what it called them before."""

from collections.abc import Iterable

from app.core.links import LinkType, TypeId
from app.store.pool import Connection


async def of_site(conn: Connection, site_id: int) -> list[LinkType]:
    """The link types of a site, with the names from before they were renamed."""
    rows = await conn.fetch(
        """SELECT type_id, name, inward, outward,
               (SELECT array_agg(ARRAY[f.inward, f.outward, f.name]
                                 ORDER BY f.inward, f.outward, f.name)
                FROM former_wordings f
                WHERE f.site_id = t.site_id AND f.type_id = t.type_id) AS former
           FROM link_types t WHERE site_id = $1 ORDER BY type_id""",
        site_id,
    )
    return [
        LinkType(
            TypeId(str(row["type_id"])),
            row["name"],
            row["inward"],
            row["outward"],
            tuple((inward, outward) for inward, outward, _ in row["former"] or ()),
            former_names(row["name"], (name for _, _, name in row["former"] or ())),
        )
        for row in rows
    ]


async def replace(conn: Connection, site_id: int, types: Iterable[LinkType]) -> None:
    """Call inside a transaction: between the statements the site has no types. What a type was
    called before stays known, for changelogs keep it, and people and configurations too."""
    # Two processes may see a new name at once: each row is written by one of them.
    await conn.execute("SELECT FROM sites WHERE id = $1 FOR NO KEY UPDATE", site_id)
    await conn.execute(
        """INSERT INTO former_wordings (site_id, type_id, name, inward, outward)
           SELECT site_id, type_id, name, inward, outward FROM link_types WHERE site_id = $1
           ON CONFLICT DO NOTHING""",
        site_id,
    )
    await conn.execute("DELETE FROM link_types WHERE site_id = $1", site_id)
    await conn.executemany(
        "INSERT INTO link_types (site_id, type_id, name, inward, outward) VALUES ($1,$2,$3,$4,$5)",
        [(site_id, int(t.id), t.name, t.inward, t.outward) for t in types],
    )
    await conn.execute(
        """DELETE FROM former_wordings f USING link_types t
           WHERE f.site_id = $1 AND t.site_id = f.site_id AND t.type_id = f.type_id
             AND f.name IN (t.name, '') AND t.inward = f.inward AND t.outward = f.outward""",
        site_id,
    )


def former_names(name: str, others: Iterable[str]) -> tuple[str, ...]:
    """Each of *others* once that is a name, and not the present one."""
    return tuple(sorted({it for it in others if it and it != name}))
