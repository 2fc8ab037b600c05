"""The ingest targets of the design, section 11. Run by `make bench`."""

import pytest

from tests.benchmarks import ingest
from tests.benchmarks.report import Report


@pytest.mark.benchmark
@pytest.mark.timeout(600)
def test_ingest_is_durable_and_fast(report: Report) -> None:
    result = ingest.measure()
    print("\n" + ingest.table(result))
    report.least("durable ingest by the same route that stores nothing", 0.65, result.ratio)
    report.most("durable ingest at half of its maximum, p99", 50, result.half.p99, " ms")
    assert result.lost == 0
    slices = [one for slices in result.highest.values() for one in slices]
    assert [one.failed for one in (*slices, result.half) if one.failed] == []
    assert result.ratio >= 0.65
    assert result.half.p99 <= 50
