"""All routers, by who may reach them."""

from fastapi import APIRouter

from app.api.routes import (
    adoptions,
    audit,
    connections,
    deliveries,
    failures,
    health,
    incidents,
    intents,
    links,
    plans,
    restores,
    resyncs,
    revisions,
    sites,
    switches,
    tokens,
    twins,
    webhooks,
)

ALWAYS: tuple[APIRouter, ...] = (health.router,)
WEBHOOKS: tuple[APIRouter, ...] = (webhooks.router,)
API: tuple[APIRouter, ...] = (
    sites.router,
    connections.router,
    revisions.router,
    switches.router,
    twins.router,
    links.router,
    resyncs.router,
    plans.router,
    adoptions.router,
    restores.router,
    audit.router,
    deliveries.router,
    failures.router,
    intents.router,
    incidents.router,
    tokens.router,
)
