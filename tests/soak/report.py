"""A soak in figures, for people."""

from dataclasses import asdict

from tests.soak.judgement import Figures
from tests.soak.size import Size
from tests.soak.strikes import Chaos
from tests.support.twinsites import ACCOUNT, TwinSites


def given_up(sites: TwinSites) -> int:
    """Deliveries that never got an answer which ends their tries."""
    logs = (served.site.outbox.log for served in sites.both)
    return sum(it.outcome == "gave_up" for log in logs for it in log)


def report(
    size: Size, sites: TwinSites, chaos: Chaos, figures: Figures, stormed: float, took: float
) -> str:
    """What happened, what was struck, and what is off."""
    logs = [it for served in sites.both for it in served.site.outbox.log]
    lines = {
        "events": size.events,
        "deliveries accepted": len({it.identifier for it in logs if it.status == 202}),
        "… tried again": sum(it.outcome == "retry" for it in logs),
        "… given up by the sites": given_up(sites),
        "mutations by our account": sum(
            it.actor == ACCOUNT for served in sites.both for it in served.site.mutations
        ),
        **{kind.replace("_", " "): count for kind, count in sorted(chaos.struck.items())},
        "seconds under strikes, in all": f"{stormed:.0f}, {took:.0f}",
        **{name.replace("_", " "): count for name, count in asdict(figures).items()},
    }
    rows = [f"  {name:<32}{value:>12}" for name, value in lines.items()]
    return "\n".join(["", f"soak, seed {size.seed}", *rows])
