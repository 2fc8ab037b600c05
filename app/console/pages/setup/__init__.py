"""From nothing to a live connection, a step at a time.

No step is remembered: each page derives where the set-up is from the sites, the connection, its
twins and its mode, so that a person leaves and comes back anywhere.
"""

from app.console.pages.setup import begin, joining, raising, site, twins

ROUTES = [*begin.ROUTES, *site.ROUTES, *joining.ROUTES, *twins.ROUTES, *raising.ROUTES]
