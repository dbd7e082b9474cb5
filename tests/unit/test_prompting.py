"""Questions as tokens: exact spans, one shared start, nothing lost but the start of a stem that is too long."""

import re
import unicodedata

from hypothesis import given, settings as hypothesis_settings, strategies as st
import pytest
import tiny_models

from neuro2cardio.config.inference import Prompt
from neuro2cardio.core.errors import InputError
from neuro2cardio.models.prompting import Prompter, Question

KINDS = ["byte-level", "metaspace", "wordpiece"]
TEMPLATES = [None, tiny_models.CHAT]
QUESTION = Question("q1", "A man has chest pain (angina?).\nWhich drug?", ("aspirin", "oxygen", "rest", "ice"), 1)
PROMPTERS = {
    (kind, template): Prompter(tiny_models.tokenizer(kind, template), Prompt(), 400)
    for kind in KINDS
    for template in TEMPLATES
}
every_tokenizer = pytest.mark.parametrize("prompter", PROMPTERS.values(), ids=[f"{k}-{bool(t)}" for k, t in PROMPTERS])


@every_tokenizer
@pytest.mark.parametrize(("form", "gold"), [("cloze", "oxygen"), ("letter", "B"), ("generate", "[B]")])
def test_the_answer_span_spells_the_answer(prompter, form, gold):
    tokens = prompter.training(QUESTION, form)
    said = prompter.tokenizer.decode(tokens.ids[tokens.answer : tokens.end])
    assert re.sub(r"\s", "", said).lower() == gold.lower()
    assert prompter.tokenizer.decode(tokens.ids[tokens.end :]) == "</s>"


@every_tokenizer
def test_all_forms_share_the_tokens_of_the_stem(prompter):
    posed = [prompter.pose(QUESTION, f, "rest" if f == "cloze" else "", p) for f in ("cloze", "letter") for p in (0, 1)]
    stem_end = posed[0].stem_at + len(QUESTION.stem) - 1
    shared = sum(end <= stem_end for _, end in posed[0].offsets)
    assert shared > 10
    assert len({tokens.ids[:shared] for tokens in posed}) == 1


@pytest.mark.parametrize("permutation", range(4))
def test_in_each_order_the_gold_letter_stands_before_the_gold_option(permutation):
    prompter = PROMPTERS["byte-level", tiny_models.CHAT]
    letter = prompter.gold(QUESTION, "letter", permutation)
    assert f"{letter}. oxygen" in prompter.pose(QUESTION, "letter", permutation=permutation).text


words = st.lists(
    st.sampled_from(
        ["chest pain", "(MI)", "angina?", "pre-eclampsia", "murmur;", "\naspirin", "5-year-old", "β-cells", "é"]
    ),
    min_size=2,
    max_size=8,
)


@pytest.mark.parametrize("key", list(PROMPTERS), ids=str)
@given(parts=words, chosen=st.integers(0, 7), glue=st.sampled_from([" ", "\n", "  "]))
@hypothesis_settings(max_examples=40, deadline=None)
def test_a_mention_decodes_to_its_own_text_or_is_not_scored(key, parts, chosen, glue):
    prompter = PROMPTERS[key]
    stem = glue.join(parts)
    found = list(re.finditer(r"\w+(?:[ -]\w+)*", stem))
    match = found[chosen % len(found)]
    question = Question("q", stem, ("yes", "no"), 0)
    for tokens in (prompter.pose(question, "cloze", "yes"), prompter.bare(stem, lowercase=False)):
        span = tokens.span(match.start(), match.end())
        if span is None:
            assert key[0] != "byte-level" or "β" in match[0] or "é" in match[0]
            continue
        decoded = prompter.tokenizer.decode(tokens.ids[span.start : span.stop]).strip()
        if "<unk>" not in decoded:
            assert _letters(decoded) == _letters(match[0])


def _letters(text: str) -> str:
    plain = unicodedata.normalize("NFKD", text.lower())
    return "".join(c for c in plain if c.isalnum())


@every_tokenizer
def test_a_long_stem_loses_its_start_and_no_option(prompter):
    question = Question("q", "They said it hurts. " * 60 + QUESTION.stem, QUESTION.options, 1)
    short = Prompter(prompter.tokenizer, Prompt(), 250)
    cut = short.cut(question, [("letter", 0)])
    tokens = short.pose(question, "letter", "B", cut=cut)
    assert 0 < cut < len(question.stem) - len("Which drug?")
    assert len(tokens.ids) <= 250
    assert all(option in tokens.text for option in question.options)
    assert tokens.text[tokens.stem_at :].startswith(question.stem[cut:])
    assert tokens.span(5, 10) is None
    at = question.stem.index("chest pain")
    covered = tokens.span(at, at + 10)
    assert covered is not None
    assert short.tokenizer.decode(tokens.ids[covered.start : covered.stop]).strip() == "chest pain"


def test_options_longer_than_the_window_are_refused_by_name():
    question = Question("q-long", "Which one is it?", tuple(f"{i} " + "very long words " * 30 for i in range(4)), 0)
    with pytest.raises(InputError, match=r"q-long.*options alone are longer.*max_tokens"):
        Prompter(tiny_models.tokenizer("byte-level"), Prompt(), 200).cut(question, [("letter", 0)])


def test_an_answer_that_would_be_merged_with_what_precedes_it_keeps_its_own_tokens():
    """The template ends in a colon, and the vocabulary has a token of colon and bracket."""
    from tokenizers import Tokenizer, models
    from transformers import PreTrainedTokenizerFast

    vocabulary = {c: i for i, c in enumerate(sorted(set("".join(map(chr, range(32, 127)))) | {"\n", ":["}))}
    merging = Tokenizer(models.BPE(vocabulary, [(":", "[")]))
    template = "{% for m in messages %}{{ m.role }}:{{ m.content }}\n{% endfor %}"
    words = PreTrainedTokenizerFast(tokenizer_object=merging, chat_template=template)
    tokens = Prompter(words, Prompt(), 400).training(QUESTION, "generate")
    assert tokens.text.endswith("assistant:[B]")
    assert words.convert_ids_to_tokens(tokens.ids[tokens.answer - 1 : tokens.end]) == [":", "[", "B", "]"]
    assert [tokens.text[a:b] for a, b in tokens.offsets[tokens.answer :]] == ["[", "B", "]"]


def test_letters_that_are_not_one_token_each_are_refused():
    prompter = PROMPTERS["byte-level", None]
    assert len(set(prompter.letter_ids(4))) == 4
    unknown = tiny_models.tokenizer("wordpiece")
    with pytest.raises(InputError, match="several letters one token"):
        Prompter(unknown, Prompt(answer_cue="Answer:"), 400).letter_ids(26)


def test_a_template_without_a_system_role_gets_its_words_before_the_stem():
    prompter = Prompter(tiny_models.tokenizer("byte-level", tiny_models.NO_SYSTEM), Prompt(system="Be brief."), 400)
    text = prompter.pose(QUESTION, "cloze").text
    assert text.index("Be brief.") < text.index(QUESTION.stem)
    assert "<|system|>" not in text


def test_bare_text_is_lower_cased_in_place_and_keeps_offsets():
    prompter = PROMPTERS["byte-level", None]
    stem = "İ saw ANGINA today"
    tokens = prompter.bare(stem, lowercase=True)
    at = stem.index("ANGINA")
    span = tokens.span(at, at + 6)
    assert prompter.tokenizer.decode(tokens.ids[span.start : span.stop]).strip() == "angina"
