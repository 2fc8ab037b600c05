"""The garbage collector of a process that answers within milliseconds."""

import gc

_YOUNG = 20_000
"""Objects before a collection: deliveries make no cycles, and the default of 700 looks for them
hundreds of times a second."""


def settle_heap() -> None:
    """Call once, when everything is imported and open. What is there now stays for good; left
    among the collected, it stops every answer for about 80 ms once or twice a second under
    load (measured: p99 85 ms with it, 27 ms without)."""
    gc.collect()
    gc.freeze()
    gc.set_threshold(_YOUNG, 20, 20)
