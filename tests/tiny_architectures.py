"""Random models of a few thousand weights, in the architectures that people fine-tune."""

from dataclasses import fields
from functools import cache
from typing import Any

_COMMON: dict[str, Any] = {
    "vocab_size": 120,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 4,
    "num_key_value_heads": 2,
    "head_dim": 8,
    "max_position_embeddings": 512,
    "pad_token_id": 0,
    "bos_token_id": 1,
    "eos_token_id": 2,
    # Shorter than the long sequences of the tests, longer than the short ones.
    "sliding_window": 32,
    "num_experts": 4,
    "num_local_experts": 4,
    "num_experts_per_tok": 2,
    "moe_intermediate_size": 32,
    "shared_expert_intermediate_size": 32,
    "n_routed_experts": 4,
    "n_group": 1,
    "topk_group": 1,
}
_GPT = {"n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 512}
_LATENT = {"q_lora_rank": 16, "kv_lora_rank": 16, "qk_rope_head_dim": 8, "qk_nope_head_dim": 8, "v_head_dim": 8}
_LATENT |= {"first_k_dense_replace": 1, "num_key_value_heads": 4}
_MIXED = {"layer_types": ["linear_attention", "full_attention"]}
_MAMBA = {"mamba_n_heads": 8, "mamba_d_head": 8, "mamba_n_groups": 1, "mamba_d_state": 8}
_OWN: dict[str, dict[str, Any]] = {
    "gpt2": _GPT,
    "gptj": {**_GPT, "rotary_dim": 4},
    "codegen": {**_GPT, "rotary_dim": 4},
    "gpt_bigcode": _GPT,
    "gpt_neo": {"attention_types": [[["global", "local"], 1]], "num_layers": 2, "num_heads": 4, "window_size": 32},
    "bloom": {"n_layer": 2, "n_head": 4},
    "mpt": {"d_model": 32, "n_heads": 4, "n_layers": 2, "max_seq_len": 512},
    "opt": {"ffn_dim": 64, "word_embed_proj_dim": 32},
    "falcon": {"alibi": False, "multi_query": True},
    "deepseek_v2": {**_LATENT, "topk_method": "greedy"},
    "deepseek_v3": _LATENT,
    "llama4_text": {
        "attention_chunk_size": 32,
        "interleave_moe_layer_step": 1,
        "intermediate_size_mlp": 64,
        "layer_types": ["chunked_attention", "full_attention"],
    },
    "gemma3_text": {"layer_types": ["sliding_attention", "full_attention"]},
    "mamba2": {"num_heads": 8, "head_dim": 8, "state_size": 8, "n_groups": 1},
    "jamba": {"attn_layer_period": 2, "attn_layer_offset": 1, "use_mamba_kernels": False},
    "bamba": {**_MAMBA, "attn_layer_indices": [1]},
    "granitemoehybrid": {**_MAMBA, "layer_types": ["mamba", "attention"]},
    "qwen3_next": {**_MIXED, "linear_num_value_heads": 4, "linear_num_key_heads": 2},
    "lfm2": {"layer_types": ["conv", "full_attention"]},
    "olmo_hybrid": _MIXED,
    "minimax": _MIXED,
}


@cache
def network(model_type: str):
    """A random model of a transformers architecture, in float32."""
    import torch
    from transformers import CONFIG_MAPPING, AutoModelForCausalLM

    kind = CONFIG_MAPPING[model_type]
    known = {field.name for field in fields(kind)} | set(kind.attribute_map)
    common = {key: value for key, value in _COMMON.items() if key in known}
    torch.manual_seed(0)
    made = AutoModelForCausalLM.from_config(kind(**{**common, **_OWN.get(model_type, {})})).eval().float()
    with torch.no_grad():
        for weight in made.parameters():
            if weight.dim() > 1:  # As large as in a trained model: what is wrong must show.
                weight.normal_(0, 0.25)
    return made
