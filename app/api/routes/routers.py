"""All routers, by who may reach them."""

from fastapi import APIRouter

from app.api.routes import (
    activity,
    adoptions,
    audit,
    connections,
    deliveries,
    engines,
    failures,
    health,
    incidents,
    intents,
    links,
    me,
    plans,
    rehomings,
    restores,
    resyncs,
    revisions,
    site_setup,
    sites,
    switches,
    tokens,
    twins,
    webhooks,
    workers,
)

WEBHOOKS: tuple[APIRouter, ...] = (webhooks.router,)
BARE: tuple[APIRouter, ...] = (health.bare,)
"""Instead of `API`, in a process for webhooks alone."""
API: tuple[APIRouter, ...] = (
    health.router,
    sites.router,
    site_setup.router,
    connections.router,
    activity.router,
    revisions.router,
    switches.router,
    twins.router,
    links.router,
    resyncs.router,
    plans.router,
    adoptions.router,
    rehomings.router,
    restores.router,
    audit.router,
    deliveries.router,
    failures.router,
    intents.router,
    incidents.router,
    workers.router,
    engines.router,
    me.router,
    tokens.router,
)
