"""What was measured, beside what the design's section 11 wants: one table for a whole run."""

from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Row:
    what: str
    target: str
    measured: str
    reached: bool | None

    @property
    def verdict(self) -> str:
        return {True: "yes", False: "NO", None: "-"}[self.reached]


@dataclass(slots=True)
class Report:
    rows: list[Row] = field(default_factory=list)

    def most(self, what: str, limit: float, measured: float, unit: str = "") -> None:
        """*measured* must not exceed *limit*."""
        self._add(what, f"≤ {limit:g}{unit}", f"{measured:.4g}{unit}", measured <= limit)

    def least(self, what: str, limit: float, measured: float, unit: str = "") -> None:
        self._add(what, f"≥ {limit:g}{unit}", f"{measured:.4g}{unit}", measured >= limit)

    def note(self, what: str, measured: str) -> None:
        """Without a target: what a ratio was made of."""
        self._add(what, "", measured, None)

    def missed(self) -> list[str]:
        return [f"{it.what}: {it.measured}, {it.target}" for it in self.rows if it.reached is False]

    def table(self) -> str:
        head = Row("what", "target", "measured", None)
        width = max(len(it.what) for it in (head, *self.rows))
        lines = [f"{head.what:{width}}  {'target':>10}  {'measured':>12}  reached"]
        lines += [
            f"{it.what:{width}}  {it.target:>10}  {it.measured:>12}  {it.verdict}"
            for it in self.rows
        ]
        return "\n".join(lines)

    def _add(self, what: str, target: str, measured: str, reached: bool | None) -> None:
        self.rows.append(Row(what, target, measured, reached))
