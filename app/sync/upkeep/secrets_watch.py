"""Whether every stored secret is where it belongs, and can be bound to it.

Each worker looks with the keys that it has. A secret that was moved in the database is refused
wherever it is asked for; a person has to know before that, and also of one that nothing asks for.
One that no key opens holds up the binding of all, and nothing that was moved shows until that ends.
"""

from app.core.incidents import Impact, IncidentKind
from app.store.config.vault import Vault
from app.sync.incidents.timeline import open_or_note
from app.sync.runtime.context import Context
from app.sync.sites import rotation


async def run_once(ctx: Context, vault: Vault) -> int:
    """One look; answers at how many sites there are such secrets."""
    async with ctx.database.connection() as conn:
        found = await rotation.unusable(conn, vault)
        hindering = await rotation.hindering(conn, vault)
    for site_id, secrets in found.items():
        async with ctx.database.transaction() as conn:
            await open_or_note(
                conn,
                IncidentKind.SECRET_MISPLACED,
                site_id=site_id,
                now=ctx.clock(),
                detail={
                    "secrets": ", ".join(it.secret for it in secrets),
                    "codes": ", ".join(sorted({it.code for it in secrets})),
                },
                impact=Impact.MAJOR,
            )
    for site_id, unread in hindering.items():
        async with ctx.database.transaction() as conn:
            await open_or_note(
                conn,
                IncidentKind.SECRET_MISPLACED,
                site_id=site_id,
                now=ctx.clock(),
                detail={"unreadable": ", ".join(it.secret for it in unread)},
                impact=Impact.MINOR,
            )
    return len(found.keys() | hindering.keys())
