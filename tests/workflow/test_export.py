"""`snakemake export` on a finished grid."""

import json

from tiny_grid import Checkout
import yaml


def test_a_finished_run_is_exported_by_one_command(grid: Checkout):
    grid.snakemake("--cores", "1", "export")
    folder = grid / "results/tiny/export"
    crate = json.loads((folder / "ro-crate-metadata.json").read_text())
    parts = [part["@id"] for entity in crate["@graph"] if entity["@id"] == "./" for part in entity["hasPart"]]
    assert all((folder / part).exists() for part in parts)
    adapters = sorted(path.parent for path in folder.glob("adapters/**/adapter_model.safetensors"))
    assert len(adapters) == 5
    for adapter in adapters:
        card = (adapter / "README.md").read_text()
        assert yaml.safe_load(card.split("---\n")[1])["library_name"] == "peft"
        assert (adapter / "adapter_config.json").is_file()
    samples = list((folder / "lm-eval/samples").rglob("*.jsonl"))
    questions = (folder / "lm-eval/data/tiny_tiny_cloze.jsonl").read_text().splitlines()
    assert len(samples) == 6 and all(len(path.read_text().splitlines()) == len(questions) for path in samples)
    assert (folder / "results/report/index.html").is_file()
    assert grid.jobs("export") == {}
