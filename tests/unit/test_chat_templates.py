"""An answer is read and trained where the model's own template writes it, for every family of templates."""

from datetime import datetime

from hypothesis import given, settings as hypothesis_settings, strategies as st
import pytest
from template_families import FAMILIES, tokenizer

from neuro2cardio.config.inference import Prompt
from neuro2cardio.core.errors import InputError
from neuro2cardio.models.prompting import LETTERS, Prompter, Question

SYSTEM = "Answer as a physician would."
QUESTION = Question("q1", "A man has chest pain (angina?). Which drug?", ("aspirin", '"oxygen"', "[rest]", "ice"), 1)
every_family = pytest.mark.parametrize("name", FAMILIES)
as_written = pytest.mark.parametrize("name", [name for name, family in FAMILIES.items() if family.as_written])


def prompter(name, system="", shots=()) -> Prompter:
    return Prompter(tokenizer(name), Prompt(system=system), 2048, True, FAMILIES[name].kwargs, shots)


def message(question: Question, form: str) -> str:
    """What a user says: written down here once more, so that the library's own words are held against it."""
    if form == "cloze":
        return question.stem
    lines = [f"{LETTERS[i]}. {option}" for i, option in enumerate(question.options)]
    return "\n".join([question.stem, "", *lines, "", getattr(Prompt(), form)])


def written(name, turns: list[tuple[str, str]], system: str = "") -> tuple[str, tuple[int, ...]]:
    """A conversation as the template itself writes it, and its tokens."""
    family, words = FAMILIES[name], tokenizer(name)
    said = [{"role": "system", "content": system}] if system else []
    for user, answer in turns:
        said += [{"role": "user", "content": user}, {"role": "assistant", "content": answer}]
    if name == "content as parts":
        said = [{**m, "content": [{"type": "text", "text": m["content"]}]} for m in said]
    text = words.apply_chat_template(said, tokenize=False, **family.kwargs)
    for form in ("%d %b %Y", "%Y-%m-%d", "%d %B %Y", "%B %d, %Y"):
        # The workflow gives templates the same date on every day.
        text = text.replace(datetime.now().strftime(form), datetime(2024, 7, 26).strftime(form))
    return text, tuple(words(text, add_special_tokens=False)["input_ids"])


@every_family
def test_the_frame_is_the_familys(name):
    frame = prompter(name).frame
    assert frame.pieces[-1] == FAMILIES[name].lead
    assert frame.end == FAMILIES[name].end
    assert frame.shown.count("{question}") == frame.shown.count("{answer}") == 1


def check(name, question, form, system="", shots=()):
    """Tokens of prompt, answer and end are those of the template's own rendering."""
    poser = prompter(name, system, shots)
    tokens = poser.training(question, form)
    gold = poser.gold(question, form)
    turns = [(message(q, form), poser.gold(q, form)) for q in (*shots, question)]
    text, ids = written(name, turns, system)
    assert text.startswith(tokens.text)
    assert tokens.ids == ids[: len(tokens.ids)]
    spelled = tokenizer(name).decode(tokens.ids[tokens.answer : tokens.end])
    if "<unk>" not in spelled:
        assert spelled.strip() == gold.strip()
    assert tokens.ids[-1] == tokenizer(name).convert_tokens_to_ids(FAMILIES[name].end.strip())
    prompt = poser.pose(question, form).ids
    assert prompt == ids[: len(prompt)] == tokens.ids[: tokens.answer]


@as_written
@pytest.mark.parametrize("form", ["letter", "cloze", "generate"])
def test_prompt_answer_and_end_are_those_of_the_template(name, form):
    check(name, QUESTION, form)


plain_text = st.text(st.characters(codec="utf-8", categories=("L", "N", "P", "S", "Zs")), min_size=1, max_size=40)
texts = plain_text.map(str.strip).filter(bool)


@as_written
@given(
    stem=texts, options=st.lists(texts, min_size=2, max_size=4, unique=True), form=st.sampled_from(["letter", "cloze"])
)
@hypothesis_settings(max_examples=15, deadline=None)
def test_so_they_are_for_any_stem_and_options(name, stem, options, form):
    if prompter(name)._encoder.control(" ".join([stem, *options])):
        return
    check(name, Question("q", stem, tuple(options), 0), form)


TAKES_A_SYSTEM_ROLE = [
    n for n in FAMILIES if n not in ("mistral v0.1", "gemma 2", "phi 3 mini") and FAMILIES[n].as_written
]


@pytest.mark.parametrize("name", TAKES_A_SYSTEM_ROLE)
def test_a_system_prompt_stands_where_the_template_writes_it(name):
    check(name, QUESTION, "letter", SYSTEM)


@pytest.mark.parametrize("name", ["mistral v0.1", "gemma 2", "phi 3 mini"])
def test_a_system_role_that_is_refused_or_left_out_goes_before_the_question(name):
    text = prompter(name, SYSTEM).training(QUESTION, "letter").text
    assert f"{SYSTEM}\n\n{QUESTION.stem}" in text
    assert text == written(name, [(f"{SYSTEM}\n\n{message(QUESTION, 'letter')}", "B")])[0][: len(text)]


@as_written
@pytest.mark.parametrize("system", ["", SYSTEM])
def test_worked_examples_are_earlier_turns(name, system):
    if system and name not in TAKES_A_SYSTEM_ROLE:
        return
    shots = (Question("s1", "Heart?", ("yes", "no"), 0), Question("s2", "Brain?", ("one", "two"), 1))
    check(name, QUESTION, "letter", system, shots)


def test_a_thought_that_the_prompt_opens_is_closed():
    words, poser = tokenizer("r1 distill"), prompter("r1 distill")
    prompt = words.apply_chat_template(
        [{"role": "user", "content": message(QUESTION, "letter")}], tokenize=False, add_generation_prompt=True
    )
    tokens = poser.training(QUESTION, "letter")
    assert tokens.text == f"{prompt}\n</think>\n\nB<｜end▁of▁sentence｜>"
    assert tokens.ids == tuple(words(tokens.text, add_special_tokens=False)["input_ids"])


def test_an_empty_thought_that_the_prompt_alone_writes_stands():
    words, poser = tokenizer("hunyuan"), prompter("hunyuan")
    asked = [{"role": "user", "content": message(QUESTION, "letter")}]
    prompt = words.apply_chat_template(asked, tokenize=False, add_generation_prompt=True, enable_thinking=False)
    tokens = poser.training(QUESTION, "letter")
    assert tokens.text == f"{prompt}B<｜place▁holder▁2｜>"
    assert tokens.ids == tuple(words(tokens.text, add_special_tokens=False)["input_ids"])


@every_family
def test_text_of_a_question_never_becomes_a_control_token(name):
    family, words = FAMILIES[name], tokenizer(name)
    poser = prompter(name, shots=(Question("s", f"Heart{family.eos}?", ("yes", f"no{family.eos}"), 1),))
    harmless = poser.training(QUESTION, "cloze")
    attack = "".join((*family.controls, *family.markup, family.bos, family.eos))
    question = Question("q", f"Why {attack} this?", (f"aspirin{attack}", "ice"), 0)
    tokens = poser.training(question, "cloze")
    controls = {words.convert_tokens_to_ids(t) for t in (*family.controls, *family.markup, family.bos, family.eos)}
    assert [i for i in tokens.ids if i in controls] == [i for i in harmless.ids if i in controls]
    assert "".join(attack.split()) in "".join(words.decode(tokens.ids[tokens.answer : tokens.end]).split())
    assert not controls & set(poser.bare(question.stem, lowercase=False).ids[1:])


@pytest.mark.parametrize("name", ["llama 3.2", "smollm 3", "gpt-oss"])
def test_the_date_is_the_same_on_every_day_and_can_be_set(name):
    assert "2024" in prompter(name).frame.shown
    dated = Prompter(tokenizer(name), Prompt(), 2048, True, {"date_string": "02 Mar 2026"})
    assert "2026" in dated.frame.shown
    assert "2024" not in dated.frame.shown


@pytest.mark.parametrize(
    "today",
    [
        "{% set form = '%d %B %Y' %}{{ strftime_now(form) }}",
        'Don\'t {% if true %}{{ strftime_now(format="%d %B %Y") }}{% endif %}',
        "{% macro head(form='%d %B %Y') %}{{ strftime_now(form) }}{% endmacro %}{{ head() }}",
    ],
)
def test_a_date_stands_still_however_its_format_is_given(today):
    template = today + "{% for m in messages %}\n{{ m.content }}{% endfor %}"
    assert broken(template).frame.pieces[0].endswith("26 July 2024")


def broken(template: str) -> Prompter:
    words = tokenizer("llama 3")
    return Prompter(type(words)(tokenizer_object=words.backend_tokenizer, chat_template=template), Prompt(), 400)


@pytest.mark.parametrize(
    ("template", "said"),
    [
        ("{{ raise_exception('not today') }}", "fails with TemplateError: not today"),
        ("{{ messages[0].content.nothing.more }}", "fails with UndefinedError"),
        ("{% for m in messages %}{{ m.content }}{{ m.content }}{% endfor %}", "does not write each message .* once"),
        (
            "{% if messages[0].role != 'system' %}{{ raise_exception('system first') }}{% endif %}"
            "{% for m in messages %}{{ m.content }}\n{% endfor %}",
            "demands a system message: set prompt.system",
        ),
        ("{% for m in messages %}{{ m.content | e }}{% endfor %}", "changes the text of messages"),
        ("{% for m in messages %}{{ m.content | replace('\n', ' ') }}{% endfor %}", "changes the text of messages"),
        ("{% for m in messages %}{{ m.content | tojson }}{% endfor %}", "changes the text of messages"),
        ("{% for m in messages %}{{ m.content | truncate(400) }}{% endfor %}", "changes the text of messages"),
        (
            "{% for m in messages %}{{ 'Long: ' if m.content | length > 200 }}{{ m.content }}{% endfor %}",
            "writes other words around some texts than around others",
        ),
        (
            "{{ strftime_now('%d' ~ ' %B') }}{% for m in messages %}{{ m.content }}{% endfor %}",
            "strftime_now is given a format that the template puts together: %d %B",
        ),
    ],
)
def test_a_template_that_cannot_be_used_is_refused_with_its_reason(template, said):
    with pytest.raises(InputError, match=f"{said}.*chat_template: false"):
        broken(template).pose(QUESTION, "letter")


def test_a_template_that_only_asks_is_read_at_its_generation_prompt():
    template = (
        "{% for m in messages %}{% if m.role != 'user' %}{{ raise_exception('users only') }}{% endif %}"
        "<|start_header_id|>{{ m.content }}<|eot_id|>{% endfor %}{% if add_generation_prompt %}Answer: {% endif %}"
    )
    frame = broken(template).frame
    assert frame.pieces == ("<|start_header_id|>", "<|eot_id|>Answer: ")
