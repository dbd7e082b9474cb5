import json
import shutil

import pandas as pd
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from neuro2cardio.core import provenance, tables
from neuro2cardio.models import adapter_files
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


def found(results):
    return [path for path, _ in integrity.find(results)]


def test_whole_results_are_left_alone(results):
    assert list(integrity.find(results)) == []


@pytest.mark.parametrize("cut", [1, 8, 100])
def test_a_truncated_table_is_found(results, cut):
    table = results / "grid/predictions/a.parquet"
    table.write_bytes(table.read_bytes()[:-cut])
    assert found(results) == [table]


@pytest.mark.parametrize("content", [b"weight", b"weighty", b""])
def test_an_adapter_with_other_weights_is_found(results, content):
    weights = results / "grid/adapters/a/seed-1/adapter_model.safetensors"
    weights.write_bytes(content)
    assert found(results) == [weights.parent]


def test_an_adapter_without_weights_or_with_half_a_record_is_found(results):
    run = results / "grid/adapters/a/seed-1/run.json"
    run.write_text(run.read_text()[:5])
    assert found(results) == [run.parent]


def test_what_is_removed_is_gone(results):
    integrity.remove(results / "grid/adapters/a/seed-1")
    integrity.remove(results / "grid/predictions/a.parquet")
    assert [p for p in results.rglob("*") if p.is_file()] == []


@pytest.mark.parametrize("content", [b"", b"[]", b"{}", b"null", b"\xff"])
def test_whatever_a_record_holds_recovery_goes_on(results, content):
    run = results / "grid/adapters/a/seed-1/run.json"
    run.write_bytes(content)
    assert found(results) == [run.parent]


def test_a_table_copied_over_another_adapters_is_found(results):
    rows = pd.DataFrame({"method": "cloze", "question_id": ["q"], "permutation": 0, "option_logprobs": [[0.0, 1.0]]})
    rows = rows.assign(chosen=1, correct=True, model="m", recipe="r", train_set="cardiology", seed=1)
    columns = {name: rows.get(name, 0.5) for name in tables.PREDICTIONS.names}
    right = results / "grid/predictions/m/r/cardiology/seed-1.parquet"
    tables.write(pd.DataFrame(columns), right, tables.PREDICTIONS)
    assert found(results) == []
    wrong = results / "grid/predictions/m/r/neurology/seed-1.parquet"
    wrong.parent.mkdir()
    shutil.copy(right, wrong)
    ((path, problem),) = integrity.find(results)
    assert path == wrong
    assert problem == "its rows are those of grid/predictions/m/r/cardiology/seed-1.parquet"


def test_flipped_bits_never_stop_the_search(results):
    table = results / "grid/predictions/a.parquet"
    data = table.read_bytes()
    for bit in range(0, 8 * len(data), 61):
        flipped = bytearray(data)
        flipped[bit // 8] ^= 1 << bit % 8
        table.write_bytes(flipped)
        assert found(results) in ([], [table])


def test_an_adapter_of_a_base_model_that_was_swapped_is_found(tmp_path):
    folder = tmp_path / "results/grid/adapters/m/r/cardiology/seed-1"
    folder.mkdir(parents=True)
    (folder / "adapter_model.safetensors").write_bytes(b"weights")
    (folder / "adapter_config.json").write_text("{}")
    base = {"weights": {"model.safetensors": {"sha256": "a", "bytes": 1}}, "files": {}}
    key = {"model": "m", "recipe": "r", "train_set": "cardiology", "seed": 1}
    said = {"adapter_key": key, "model": base, **adapter_files.digests(folder)}
    (folder / "run.json").write_text(json.dumps(said))
    record = tmp_path / "resources/models/m/model.json"
    record.parent.mkdir(parents=True)
    for content in (json.dumps(base), "{", "{}"):
        record.write_text(content)
        assert found(tmp_path / "results") == []
    for change in ({"weights": {"model.safetensors": {"sha256": "b", "bytes": 1}}}, {"files": {"config.json": {}}}):
        record.write_text(json.dumps({**base, **change}))
        ((path, problem),) = integrity.find(tmp_path / "results")
        assert (path, problem[:43]) == (folder, "it was trained on other weights, or another")
