"""The ingest targets of the design, section 11. Run by ``make bench``."""

import pytest

from tests.benchmarks import ingest


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_ingest_is_durable_and_fast() -> None:
    result = ingest.measure()
    print("\n" + ingest.table(result))
    assert result.lost == 0
    slices = [one for slices in result.highest.values() for one in slices]
    assert [one.failed for one in (*slices, result.half) if one.failed] == []
    assert result.ratio >= 0.65
    assert result.half.p99 <= 50
