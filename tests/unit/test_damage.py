import json

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from neuro2cardio.core import provenance
from neuro2cardio.operations import integrity


@pytest.fixture
def results(tmp_path):
    adapter = tmp_path / "grid/adapters/a/seed-1"
    adapter.mkdir(parents=True)
    (adapter / "adapter_model.safetensors").write_bytes(b"weights")
    digest = provenance.sha256(adapter / "adapter_model.safetensors")
    (adapter / "run.json").write_text(json.dumps({"adapter_sha256": digest}))
    (tmp_path / "grid/predictions").mkdir()
    pq.write_table(pa.table({"x": list(range(100))}), tmp_path / "grid/predictions/a.parquet")
    return tmp_path


def test_whole_results_are_left_alone(results):
    assert list(integrity.find(results)) == []


@pytest.mark.parametrize("cut", [1, 8, 100])
def test_a_truncated_table_is_found(results, cut):
    table = results / "grid/predictions/a.parquet"
    table.write_bytes(table.read_bytes()[:-cut])
    assert list(integrity.find(results)) == [table]


@pytest.mark.parametrize("content", [b"weight", b"weighty", b""])
def test_an_adapter_with_other_weights_is_found(results, content):
    weights = results / "grid/adapters/a/seed-1/adapter_model.safetensors"
    weights.write_bytes(content)
    assert list(integrity.find(results)) == [weights.parent]


def test_an_adapter_without_weights_or_with_half_a_record_is_found(results):
    run = results / "grid/adapters/a/seed-1/run.json"
    run.write_text(run.read_text()[:5])
    assert list(integrity.find(results)) == [run.parent]


def test_what_is_removed_is_gone(results):
    integrity.remove(results / "grid/adapters/a/seed-1")
    integrity.remove(results / "grid/predictions/a.parquet")
    assert [p for p in results.rglob("*") if p.is_file()] == []
