"""The offline check of an exported audit: whatever was touched is found, and the place named."""

import json
import random
import tracemalloc
from pathlib import Path
from typing import Any

import httpx
import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.cli.checks.audit_export import ChainCheck, kept_heads
from app.core.chain import GENESIS, link
from tests.cli.conftest import FakeService, Line

Row = dict[str, Any]


def chain(name: str, length: int) -> list[Row]:
    rows, previous = [], GENESIS
    for seq in range(1, length + 1):
        row: Row = {"id": str(seq), "chain": name, "seq": seq, "connection": f"c{name}", "n": "é"}
        row["prev_hash"] = previous.hex()
        previous = link(previous, row)
        rows.append(row | {"hash": previous.hex()})
    return rows


def head(rows: list[Row]) -> Row:
    return {name: rows[-1][name] for name in ("chain", "connection", "seq", "hash")}


def export(*chains: list[Row]) -> list[str]:
    """Interleaved as rows of several connections are, each chain in its own order; heads last."""
    turns = [at for at, rows in enumerate(chains) for _ in rows]
    random.Random(7).shuffle(turns)
    feeds = [iter(rows) for rows in chains]
    rows = [next(feeds[at]) for at in turns]
    return [json.dumps(it) for it in [*rows, *({"head": head(rows)} for rows in chains)]]


def faults(lines: list[str], kept: dict[str, dict[int, str]] | None = None) -> list[Any]:
    check = ChainCheck(kept or {})
    for number, text in enumerate(lines, start=1):
        check.feed(number, text)
    return [(place.chain, place.seq, place.fault) for place in check.finish()]


def test_whole_chains_are_accepted_however_they_interleave() -> None:
    assert faults(export(chain("1", 40), chain("2", 30), chain("3", 1))) == []


def test_any_single_change_is_found_at_its_place() -> None:
    whole = chain("1", 5)
    for at, row in enumerate(whole):
        for name in row.keys() - {"id", "chain"}:
            touched = [dict(it) for it in whole]
            touched[at][name] = touched[at][name] + (1 if name == "seq" else "0")
            found = faults(
                export(touched)
                if name != "hash" or at < 4
                else [*(json.dumps(it) for it in touched), json.dumps({"head": head(whole)})]
            )
            assert len(found) == 1, name
            assert found[0][:2] == ("1", at + 1), name


@given(st.data())
def test_rows_that_are_missing_doubled_or_swapped_are_found(data: st.DataObject) -> None:
    rows = chain("1", 6)
    lines = export(rows)
    at = data.draw(st.integers(0, 5))
    match data.draw(st.sampled_from(("drop", "double", "swap"))):
        case "drop":
            del lines[at]
        case "double":
            lines.insert(at, lines[at])
        case _:
            other = data.draw(st.integers(0, 5).filter(lambda it: it != at))
            lines[at], lines[other] = lines[other], lines[at]
    assert faults(lines)


def test_a_cut_end_is_found_by_its_head() -> None:
    lines = export(chain("1", 5))
    assert faults(lines[:3] + lines[5:]) == [("1", 4, "cut_off")]
    assert faults(lines[:3]) == [("1", 3, "no_head")]
    assert faults(lines[5:]) == [("1", 1, "cut_off")]


def test_one_broken_chain_does_not_hide_another() -> None:
    first, second = chain("1", 3), chain("2", 3)
    first[0]["n"] = second[2]["n"] = "other"
    assert faults(export(first, second)) == [("1", 1, "hash"), ("2", 3, "hash")]


def test_heads_kept_elsewhere_may_be_older() -> None:
    rows = chain("1", 5)
    assert faults(export(rows), {"1": {3: rows[2]["hash"]}}) == []
    assert faults(export(rows)[:5], {"1": {5: rows[4]["hash"]}}) == []


def test_a_rewritten_chain_is_found_by_a_head_kept_elsewhere() -> None:
    genuine, forged = chain("1", 5), chain("1", 2)
    assert faults(export(forged)) == []
    assert faults(export(forged), {"1": {5: genuine[4]["hash"]}}) == [("1", 3, "cut_off")]
    assert faults(export(genuine), {"1": {3: "00" * 32}}) == [("1", 3, "hash")]
    assert faults(export(genuine), {"2": {1: "00" * 32}}) == [("2", 1, "cut_off")]


@pytest.mark.parametrize(
    "text", ["{", "[" * 100_000, "7", "{}", '{"prev_hash": "", "chain": "1"}', '"head"']
)
def test_a_line_that_is_nothing_is_named(text: str) -> None:
    check = ChainCheck()
    for number, it in enumerate([text, *export(chain("1", 2))], start=1):
        check.feed(number, it)
    assert [(place.line, place.fault) for place in check.finish()] == [(1, "malformed")]


@pytest.mark.slow
def test_memory_stays_flat() -> None:
    check, previous = ChainCheck(), GENESIS
    tracemalloc.start()
    peaks = []
    for seq in range(1, 20_001):
        row: Row = {"chain": "1", "seq": seq, "prev_hash": previous.hex(), "connection": "c"}
        previous = link(previous, row)
        check.feed(seq, json.dumps(row | {"hash": previous.hex()}))
        if seq in (2_000, 20_000):
            peaks.append(tracemalloc.get_traced_memory()[1])
    tracemalloc.stop()
    assert peaks[1] < 1.2 * peaks[0]


@pytest.mark.parametrize("form", ["lines", "list", "items"])
def test_heads_in_every_form_that_they_are_kept_in(form: str) -> None:
    heads = [head(chain("1", 2)), head(chain("2", 3))]
    text = {
        "lines": "\n".join(json.dumps({"head": it}) for it in heads),
        "list": json.dumps(heads),
        "items": json.dumps({"items": heads}, indent=2),
    }[form]
    assert kept_heads(text) == {it["chain"]: {it["seq"]: it["hash"]} for it in heads}


def test_the_command_needs_neither_service_nor_token(line: Line, tmp_path: Path) -> None:
    del line.env["TWINLINK_API_TOKEN"]
    file, heads = tmp_path / "audit.ndjson", tmp_path / "heads.json"
    lines = export(chain("1", 3))
    file.write_text("\n".join(lines) + "\n")
    heads.write_text(lines[-1])
    assert line("audit", "verify", str(file)).exit_code == 0
    verdict = line.json("audit", "verify", str(file), "--heads", str(heads))
    assert (verdict["status"], verdict["rows"]) == ("accepted", 3)
    file.write_text(file.read_text().replace('"seq": 2', '"seq": 5', 1))
    refused = line("audit", "verify", str(file))
    assert refused.exit_code == 1
    assert refused.stdout.startswith("c1 (1), 2, line 2: gap: ")
    heads.write_text("{}")
    assert line("audit", "verify", str(file), "--heads", str(heads)).exit_code == 2
    assert line("audit", "verify", str(tmp_path / "none")).exit_code == 2


@pytest.mark.parametrize("rows", [0, 2, 3])
def test_without_a_head_it_proves_nothing(line: Line, tmp_path: Path, rows: int) -> None:
    """The end of a chain may have been cut off, and the whole of an empty one."""
    file = tmp_path / "audit.ndjson"
    lines = export(chain("1", 3))
    file.write_text("".join(f"{it}\n" for it in lines[:rows]))
    result = line("audit", "verify", str(file))
    assert result.exit_code == 3
    assert result.stdout.endswith(f"not anchored: {rows} rows\n")
    verdict = json.loads(line("audit", "verify", str(file), "--json").stdout)
    assert verdict["status"] == "not_anchored"


def test_a_fault_counts_more_than_a_missing_head(line: Line, tmp_path: Path) -> None:
    file = tmp_path / "audit.ndjson"
    first, second = export(chain("1", 3)), export(chain("2", 2))
    file.write_text("\n".join([first[0], first[2], *second]))
    assert line("audit", "verify", str(file)).exit_code == 1


def test_the_service_checks_its_own(line: Line, service: FakeService) -> None:
    place = {"chain": "1", "connection": "main", "seq": 4, "fault": "hash"}
    over = {"id": "5", "status": "refused", "rows": 9, "detail": "", "place": place}
    service.answers["POST /audit/verifications"] = (202, {"id": "5", "status": "queued"})
    service.answers["GET /audit/verifications/5"] = (200, over)
    result = line("audit", "verify")
    assert result.exit_code == 1
    assert result.stdout == (
        "main (1), 4: hash: its content has changed since it was recorded\nrefused: 9 rows\n"
    )


def test_an_export_that_says_it_is_incomplete_is_refused() -> None:
    """Even after the head of every chain that it has."""
    lines = [*export(chain("1", 3)), json.dumps({"incomplete": "unauthenticated"})]
    assert faults(lines) == [("", 0, "incomplete")]


def test_the_command_fails_on_an_export_that_ended_early(
    line: Line, service: FakeService, tmp_path: Path
) -> None:
    text = "\n".join([*export(chain("1", 3))[:2], json.dumps({"incomplete": "unauthenticated"})])
    service.answers["GET /audit/export"] = lambda _: httpx.Response(200, text=text)
    result = line("audit", "export", str(tmp_path / "audit.ndjson"))
    assert result.exit_code == 1
    assert "incomplete" in result.stderr
    assert "unauthenticated" in result.stderr
