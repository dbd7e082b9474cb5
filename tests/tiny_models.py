"""Random models of a few thousand weights, of several architectures and kinds of tokenizer: no download, instant."""

from collections.abc import Callable
from pathlib import Path

import pytest

CORPUS = [
    "A 54-year-old man has chest pain, dyspnea and a new systolic murmur; which of the following is most likely?",
    "The patient (a smoker) was given aspirin, metoprolol and oxygen before coronary angiography.",
    "Migraine with aura, seizure, ataxia and Parkinson disease are seen by a neurologist.",
    "Answer with the letter of the correct option. A. angina B. pericarditis C. aortic stenosis D. heart block",
    "Answer: [A] [B] [C] [D]\n\nA. yes\nB. no\n",
    "Answer: A Answer: B Answer: C Answer: D Answer: E",
] * 10
CHAT = (
    "{% for m in messages %}<|{{ m.role }}|>\n{{ m.content }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
NO_SYSTEM = "{% if messages[0].role == 'system' %}{{ raise_exception('no system role') }}{% endif %}" + CHAT


def tokenizer(kind: str, chat_template: str | None = None):
    """A trained tokenizer: `byte-level` or `metaspace` BPE, or `wordpiece`."""
    from tokenizers import Tokenizer, decoders, models, normalizers, pre_tokenizers, processors, trainers
    from transformers import PreTrainedTokenizerFast

    specials = ["<unk>", "<s>", "</s>"]
    if kind == "wordpiece":
        made = Tokenizer(models.WordPiece(unk_token="<unk>"))
        made.normalizer = normalizers.BertNormalizer(lowercase=True)
        made.pre_tokenizer = pre_tokenizers.BertPreTokenizer()
        made.decoder = decoders.WordPiece()
        trainer = trainers.WordPieceTrainer(vocab_size=600, special_tokens=specials)
    else:
        made = Tokenizer(models.BPE(unk_token="<unk>"))
        byte_level = kind == "byte-level"
        made.pre_tokenizer = (
            pre_tokenizers.ByteLevel(add_prefix_space=False)
            if byte_level
            else pre_tokenizers.Metaspace(prepend_scheme="first", split=True)
        )
        made.decoder = decoders.ByteLevel() if byte_level else decoders.Metaspace()
        alphabet = pre_tokenizers.ByteLevel.alphabet() if byte_level else [chr(c) for c in range(32, 127)] + ["\n"]
        trainer = trainers.BpeTrainer(vocab_size=600, special_tokens=specials, initial_alphabet=alphabet)
    made.train_from_iterator(CORPUS, trainer)
    if kind == "metaspace":
        made.post_processor = processors.TemplateProcessing(single="<s> $A", special_tokens=[("<s>", 1)])
    return PreTrainedTokenizerFast(
        tokenizer_object=made, unk_token="<unk>", bos_token="<s>", eos_token="</s>", chat_template=chat_template
    )


def network(architecture: str, vocabulary: int):
    """A random causal model: `llama`, `gpt2`, or `gemma2` (soft-capped logits, sliding windows)."""
    import torch
    from transformers import (
        Gemma2Config,
        Gemma2ForCausalLM,
        GPT2Config,
        GPT2LMHeadModel,
        LlamaConfig,
        LlamaForCausalLM,
    )

    torch.manual_seed(0)
    wide = {"hidden_size": 32, "intermediate_size": 64, "num_hidden_layers": 2, "num_attention_heads": 2}
    ends = {"vocab_size": vocabulary, "bos_token_id": 1, "eos_token_id": 2, "pad_token_id": None}
    if architecture == "gpt2":
        return GPT2LMHeadModel(GPT2Config(n_embd=32, n_layer=2, n_head=2, n_positions=512, **ends))
    if architecture == "gemma2":
        shape = Gemma2Config(**wide, num_key_value_heads=1, head_dim=16, sliding_window=64, **ends)
        return Gemma2ForCausalLM(shape)
    return LlamaForCausalLM(LlamaConfig(**wide, num_key_value_heads=1, max_position_embeddings=512, **ends))


@pytest.fixture(scope="session")
def tiny_model(tmp_path_factory: pytest.TempPathFactory) -> Callable[..., Path]:
    """Makes a model's folder, once for each architecture, tokenizer and template."""
    made: dict[tuple[str, str, str | None], Path] = {}

    def make(architecture: str = "llama", kind: str = "byte-level", chat_template: str | None = CHAT) -> Path:
        key = (architecture, kind, chat_template)
        if key not in made:
            folder = tmp_path_factory.mktemp("model")
            words = tokenizer(kind, chat_template)
            words.save_pretrained(folder)
            network(architecture, len(words)).save_pretrained(folder)
            made[key] = folder
        return made[key]

    return make
