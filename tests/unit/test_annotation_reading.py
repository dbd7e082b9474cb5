"""What counts as a vote: an answer in any dress is its label or none, and never another one."""

import json

from hypothesis import given, settings, strategies as st
import pytest

from neuro2cardio.annotation import thoughts
from neuro2cardio.annotation.labels import CANDIDATES, OTHERS
from neuro2cardio.annotation.reading import read_answer

C, N = "Cardiology", "Neurology"

THOUGHTS = {
    "only the closing mark": "Maybe specialty: Neurology? No, chest pain.\n</think>\n\n{}",
    "think": "<think>Specialty: Neurology maybe</think>{}",
    "thinking": "<thinking>Specialty: Neurology maybe</thinking>\n{}",
    "thought": "<thought>\nNeurology\n</thought>\n{}",
    "reasoning": '<reasoning effort="high">Neurology</reasoning>{}',
    "reflection after thinking": "<thinking>Neurology</thinking><reflection>Neurology!</reflection>{}",
    "nested": "<thinking>a<reflection>Specialty: Neurology</reflection>b</thinking>{}",
    "scratchpad": "<SCRATCHPAD>\nNeurology\n</SCRATCHPAD>\n{}",
    "a prefix": "<seed:think>Neurology</seed:think>{}",
    "two words": "<inner_monologue>Neurology</inner_monologue>{}",
    "escaped as in JSON": "<think>Neurology<\\/think>{}",
    "escaped as in HTML": "&lt;think&gt;Neurology&lt;/think&gt;{}",
    "brackets": "[THINK]Specialty: Neurology[/THINK]{}",
    "triangles": "◁think▷Neurology◁/think▷{}",
    "special tokens": "<|think|>Neurology<|/think|>{}",
    "begin and end": "<|begin_of_thought|>Neurology<|end_of_thought|>\n<|begin_of_solution|>{}<|end_of_solution|>",
    "start and end": "<|START_THINKING|>Neurology<|END_THINKING|><|START_RESPONSE|>{}<|END_RESPONSE|>",
    "channels": "<|channel|>analysis<|message|>Neurology?<|end|>"
    "<|start|>assistant<|channel|>final<|message|>{}<|return|>",
    "channels without tokens": "analysisWe weigh Neurology. Specialty: Neurologyassistantfinal{}",
    "channels of another family": "<|channel>thought\nNeurology<channel|>{}",
    "reserved tokens": "<unused94>thought\nSpecialty: Neurology<unused95>{}",
    "prefix and suffix": "<|inner_prefix|>Neurology<|inner_suffix|>{}",
    "words": "Here is my thought process: Neurology?\n\nHere is my response: {}",
    "a terminal": "Thinking...\nSpecialty: Neurology?\n...done thinking.\n\n{}",
    "a folded block": '<details type="reasoning"><summary>Thought</summary>Neurology</details>\n{}',
    "a block of code": "```thinking\nSpecialty: Neurology\n```\n{}",
    "a budget of thoughts": "<seed:cot_budget_reflect>Neurology</seed:cot_budget_reflect>{}",
    "a name before": "<o1_thinking>Neurology</o1_thinking>{}",
    "a name behind": "<thinking_process>Specialty: Neurology</thinking_process>\n{}",
    "steps": "<step-by-step>Specialty: Neurology</step-by-step>\n{}",
    "a draft": "<draft>Specialty: Neurology</draft>\n{}",
    "several": "<think>Neurology</think>Specialty: Neurology<think>no</think>{}",
}


@pytest.mark.parametrize("form", ["Cardiology", "Specialty: Cardiology", '{"specialty": "Cardiology"}'])
@pytest.mark.parametrize("family", THOUGHTS)
def test_what_follows_the_last_thought_is_read_and_the_rest_counted(family, form):
    reading = read_answer(THOUGHTS[family].format(form) if "{}" in THOUGHTS[family] else "")
    assert (reading.label, reading.problem) == (C, "")
    assert reading.thoughts > 0


@pytest.mark.parametrize("family", [name for name in THOUGHTS if name != "only the closing mark"])
def test_thoughts_that_never_end_are_no_vote(family):
    start = THOUGHTS[family].partition("Neurology")[0] + "Specialty: Neurology, because"
    reading = read_answer(start)
    assert reading.label == ""


def test_an_answer_without_thoughts_has_none_cut():
    assert thoughts.cut("Specialty: Cardiology [reason: chest pain]") == (
        "Specialty: Cardiology [reason: chest pain]",
        0,
    )


@pytest.mark.parametrize(
    "text",
    [
        '{"primary specialty": "Cardiology", "secondary specialty": "Neurology"}',
        '{"primary_specialty": "Cardiology", "secondary_specialty": null}',
        '{"primarySpecialty": "Cardiology", "secondarySpecialty": "Neurology"}',
        '{"specialty": {"primary": "Cardiology", "secondary": "Neurology"}}',
        '{"specialty": {"name": "Cardiology"}, "alternatives": ["Neurology"]}',
        '{"result": {"specialty": "Cardiology"}, "thought": "Neurology?"}',
        '{"answer": "Neurology ward", "specialty": "Cardiology"}',
        '["Cardiology"]',
        "{'specialty': 'Cardiology'}",
        '{"specialty": "Cardiology", "reason": "The heart is',
        "Primary specialty: Cardiology\nSecondary specialty: Neurology",
        "Specialty (secondary): Neurology\nSpecialty (primary): Cardiology",
        "Primary specialty: Cardiology; secondary specialty: Neurology",
        "Specialty: Cardiology\nAnswer: Neurology",
        "Specialty: Neurology\nFinal answer: Cardiology",
        "Neurology is close. <answer>Cardiology</answer>",
        "The answer is $\\boxed{\\text{Cardiology}}$.",
        "Specialty: Cardiology\n<explanation>Not Neurology</explanation>",
        "~~Neurology~~ Cardiology",
        "Cardiology<|im_end|>\n<|im_start|>user\nAnd now? Specialty: Neurology",
        "Cardiology\n\nQuestion: A woman loses her sight.\nSpecialty: Neurology",
        "Specialty: Cardiology\nSpecialty: <name>",
        "Ｃａｒｄｉｏｌｏｇｙ",
        "Specialty： Cardi\u00adology\u200b",
        "I'm sorry for the confusion. Specialty: Cardiology",
    ],
)
def test_the_first_choice_is_the_vote(text):
    reading = read_answer(text)
    assert (reading.label, reading.problem) == (C, "")


@pytest.mark.parametrize(
    ("text", "problem"),
    [
        ("I'm sorry, I can't help with that. Please see a cardiologist.", "refusal"),
        ("I\u2019m sorry, I can\u2019t help with that. Please see a cardiologist.", "refusal"),
        ("As an AI language model I would say Cardiology.", "refusal"),
        ("I'm sorry. Answer: please see a cardiologist", "refusal"),
        ("This is not a Cardiology question.", "denied or doubted"),
        ("Specialty: not Cardiology", "denied or doubted"),
        ("Specialty: non-cardiology", "denied or doubted"),
        ("The specialty isn't Cardiology.", "denied or doubted"),
        ("I doubt the answer is Cardiology.", "denied or doubted"),
        ("Cardiology can be ruled out.", "denied or doubted"),
        ("Anything but Cardiology.", "denied or doubted"),
        ("Could it be Cardiology? Hardly.", "denied or doubted"),
        ("❌ Cardiology", "denied or doubted"),
        ('{"specialty": "not Cardiology"}', "denied or doubted"),
        ("Maybe specialty: Neurology? No, chest pain.", "no label in the answer"),
        ("It is Cardiology. Wait, that is wrong.", "taken back"),
        ("Specialty: Cardiology\n\nNo, wait.", "taken back"),
        ("Secondary specialty: Cardiology", "no label in the answer"),
        ('{"secondary specialty": "Cardiology"}', "JSON without a specialty"),
        ('{"Cardiology": false}', "JSON without a specialty"),
        ('{"specialty": ["Cardiology", "Neurology"]}', "several labels: Cardiology, Neurology"),
        ('{"specialty": "Neurology", "specialty": "Cardiology"}', "several labels: Cardiology, Neurology"),
        ('{"specialty": "Neurology"} {"specialty": "Cardiology"}', "several labels: Cardiology, Neurology"),
        ("Rather Cardiology than Neurology", "several labels: Cardiology, Neurology"),
        ("这不是Cardiology", "no label in the answer"),
        ("The patient has an infectious disease.", "no label in the answer"),
        ("analysisThe question asks for Neurology.", "only thoughts"),
        ('{"a":' * 1500 + '"Cardiology"' + "}" * 1500, "nested too deep"),
        ('{"specialty":' * 1500 + '"Cardiology"' + "}" * 1500, "nested too deep"),
        ("[" * 100_000 + '"Cardiology"', "nested too deep"),
    ],
)
def test_what_is_not_meant_is_no_vote(text, problem):
    reading = read_answer(text)
    assert (reading.label, reading.problem) == ("", problem)


@pytest.mark.parametrize(
    "text",
    [
        # An example, a format, somebody else's words.
        "Example: Specialty: Cardiology",
        "Example:\nSpecialty: Cardiology",
        "For example, Specialty: Cardiology",
        'e.g. "Specialty: Cardiology"',
        'The format is "Specialty: Cardiology".',
        "You should answer like this: Specialty: Cardiology",
        "Previous question's specialty: Cardiology",
        "You want me to say Cardiology.",
        "One might say Cardiology.",
        "Some would argue the answer is Cardiology, but I disagree.",
        '{"type": "object", "properties": {"specialty": {"enum": ["Cardiology"]}}}',
        '{"example": {"specialty": "Cardiology"}}',
        # What is least, last, wrong, or ruled out.
        "The last specialty I would pick is Cardiology",
        "The least fitting specialty is Cardiology.",
        "Discarded: Cardiology",
        "Distractor specialty: Cardiology",
        "Cardiology: considered",
        "Cardiology: unlikely",
        "Specialty: Cardiology (excluded)",
        "Specialty: Cardiology \u2014 wrong",
        "Specialty: Other than Cardiology",
        "Specialty: All except Cardiology",
        "rather than Cardiology",
        "kein Fall f\u00fcr Cardiology",
        "La r\u00e9ponse n'est pas Cardiology.",
        # Refusals in other words, and names that stand alone behind them.
        "I am not a doctor; Cardiology.",
        "My guidelines do not allow me to choose. Cardiology.",
        "No vote. (Cardiology)",
        "Sorry, no. Cardiology",
        "Error: Cardiology",
        "Cardiology consult is recommended",
        # Signs, boxes and numbers.
        "!Cardiology",
        "Specialty: !Cardiology",
        "not_cardiology",
        "[ ] Cardiology",
        "\u2610 Cardiology",
        "\u2612 Cardiology",
        "\U0001f44e Cardiology",
        "Specialty: Cardiology \u26d4",
        "Cardiology: 0%",
        "Cardiology: 0.02",
        "Specialty: Cardiology (1/20)",
        '{"specialty": "Cardiology", "confidence": 0.01}',
        '{"specialty": "Cardiology", "valid": false}',
        # Taken back.
        "The answer is Cardiology. On reflection that's not right.",
        "The answer is Cardiology. However, it might be something else.",
        "The answer is Cardiology. My mistake.",
        "Specialty: Cardiology\nI take that back.",
        "Specialty: Cardiology\n\nLet me reconsider.",
        "Specialty: Cardiology\nThis is false.",
        "Specialty: Cardiology\nEdit: Neurology",
        "Specialty: Cardiology\nOr Neurology",
        # Several.
        "| Specialty | Score |\n|---|---|\n| Cardiology | 9 |\n| Neurology | 2 |",
        "[x] Cardiology\n[ ] Neurology",
        "1. Cardiology\n2. Neurology",
        "* Cardiology\n* Neurology",
        '<tool_call>{"specialty": "Neurology"}</tool_call>Cardiology',
        '{"specialty": ["Cardiology", "Neurology"], "confidence": [0.9, 0.1]}',
    ],
)
def test_a_name_in_other_company_is_no_vote(text):
    assert read_answer(text).label == ""


@pytest.mark.parametrize(
    "text",
    [
        "| Specialty | Cardiology |\n|---|---|",
        "| Question | Specialty |\n|---|---|\n| 1 | Cardiology |",
        "Specialty: Cardiology (95%)",
        "Specialty: Cardiology (confidence: 0.9)",
        "Specialty: Cardiology [confidence: high]",
        "Specialty: Cardiology because the patient has no neurological deficit",
        "CARDIOLOGY!!!",
        "\u2611 Cardiology",
        "### Thinking\nSpecialty: Neurology\n### Answer\nCardiology",
        "**Thinking:** Specialty: Neurology maybe.\n**Answer:** Cardiology",
        "<!-- Neurology --> Cardiology",
        '{"reasoning": {"specialty": "Neurology"}, "specialty": "Cardiology"}',
        '{"specialty": "Cardiology", "subspecialty": "Neurology"}',
        '{"specialty": "Cardiology", "confidence": 0.8, "is_emergency": false}',
        '{"specialty": "Cardiology"}\n\nThe chest pain is not explained by Neurology.',
        "Based on the chest pain, this question belongs to Cardiology.",
        "Cardiology is the best fit, because nothing speaks for the nerves.",
        "Specialty: Cardiology\n\nThe patient has no focal deficits, so the heart it is.",
    ],
)
def test_a_vote_in_unusual_dress_is_read(text):
    reading = read_answer(text)
    assert (reading.label, reading.problem) == (C, "")


def test_a_name_that_was_cut_off_may_be_another_one():
    assert read_answer("Specialty: Pediatric", cut_off=True).problem.startswith("cut off: may be the start")
    assert read_answer("Specialty: Pediatric").label == "Pediatrics"


names = st.sampled_from([*CANDIDATES, OTHERS])
around = st.text(" \t\n*_#>-.`\u200b\u00ad", max_size=8)
quoted = st.sampled_from(
    ["{}", "**{}**", "`{}`", '"{}"', "\u201c{}\u201d", "<b>{}</b>", "\\boxed{{{}}}", "<answer>{}</answer>"]
)
marked = st.sampled_from(
    [
        "{}",
        "Specialty: {}",
        "**Specialty:** {}",
        "specialty = {}",
        "Final answer: {}",
        "The specialty is {}.",
        "Answer: {}",
    ]
)
followed = st.sampled_from(
    [
        "",
        "<|im_end|>",
        "</s>",
        "\n\nQuestion: Next?\nSpecialty: {other}",
        "\nSecondary specialty: {other}",
        "<|eot_id|>user\n{other}",
        "\n<explanation>not {other}</explanation>",
        "\n<!-- {other} -->",
        " (confidence: 0.9)",
        " (90%)",
        " because it is not {other}",
    ]
)
company = st.sampled_from(
    [
        "Example: {}",
        "For instance, {}",
        "Not {}",
        "{} is out of the question",
        "{}: no",
        "{}: 0%",
        "[ ] {}",
        "\u2612 {}",
        "\u2260 {}",
        "Rejected: {}",
        "Runner-up: {}",
        "rather than {}",
        "anything but {}",
        "I cannot say {}",
        "Unlikely: {}",
        "the opposite of {}",
        "{}? No.",
    ]
)
objects = st.sampled_from(
    [
        '{{"specialty": {name}}}',
        '{{"primary specialty": {name}, "secondary specialty": {other}}}',
        '```json\n{{"Specialty": [{name}]}}\n```',
        '{{"why": {other}, "specialty": {name}}}',
        '{{"alternatives": [{other}], "answer": {{"specialty": {name}}}}}',
    ]
)


@settings(max_examples=400)
@given(names, names, st.sampled_from(sorted(THOUGHTS)), st.data())
def test_a_decorated_answer_is_its_label_or_none(name, other, family, data):
    if data.draw(st.booleans()):
        text = data.draw(objects).format(name=json.dumps(name), other=json.dumps(other))
    else:
        dressed = data.draw(marked).format(data.draw(quoted).format(name))
        text = data.draw(around) + dressed + data.draw(followed).replace("{other}", other) + data.draw(around)
    if data.draw(st.booleans()):
        text = THOUGHTS[family].replace("Neurology", other).format(text)
    reading = read_answer(text, cut_off=data.draw(st.booleans()))
    assert reading.label in ("", name)
    assert bool(reading.label) != bool(reading.problem)


@settings(max_examples=300)
@given(names, names, company, company, marked, st.data())
def test_a_name_in_bad_company_is_never_the_vote(name, other, before, after, mark, data):
    """Beside an answer, or alone: at most there is no vote."""
    said = [mark.format(name), before.format(other), after.format(other)][data.draw(st.integers(0, 1)) :]
    answer = "\n".join(data.draw(st.permutations(said)))
    assert read_answer(answer).label in ("", *([name] if mark.format(name) in said else []), OTHERS)


@settings(max_examples=300)
@given(
    names, st.sampled_from(["It is not {}.", "Not {}", "{}? No.", "I can't say it is {}.", "{} is wrong.", "Never {}!"])
)
def test_a_denied_name_is_never_a_vote(name, denial):
    assert read_answer(denial.format(name)).label in ("", *([OTHERS] if name == OTHERS else []))


pieces = st.sampled_from(
    [
        "<think>",
        "</think>",
        "[THINK]",
        "[/THINK]",
        "<|channel|>final<|message|>",
        "assistantfinal",
        "{",
        "}",
        '"',
        ":",
        "[",
        "]",
        "specialty",
        "Specialty:",
        "primary",
        "not",
        "?",
        "\n",
        "Cardiology",
        "Neurology",
        "I'm sorry",
        "\\boxed{",
        "<answer>",
        "\ud800",
        "\x00",
        "&lt;",
        "```",
        "~~",
        ",",
        "Question:",
        "null",
        "1e999",
        "\\u0000",
    ]
)


@settings(max_examples=500)
@given(st.lists(pieces | st.text(max_size=5), max_size=40))
def test_any_pieces_end_in_a_label_or_a_problem(parts):
    reading = read_answer("".join(parts))
    assert bool(reading.label) != bool(reading.problem)
    assert reading.label in ("", *CANDIDATES, OTHERS)


@pytest.mark.parametrize(
    "text",
    [
        "a" * 200_000,
        "<s>" * 60_000,
        "~~" * 100_001,
        "{ " * 100_000,
        "Specialty: " * 20_000,
        "<think>" * 30_000,
        "not " * 50_000,
        "``` think" * 20_000,
    ],
)
def test_long_nonsense_is_read_in_a_moment(text):
    assert read_answer(text).label == ""


@pytest.mark.parametrize(
    "text",
    [
        "Regrettably, this is beyond what I may answer. A cardiologist would know.",
        "I refrain from answering; ask Cardiology.",
        "Unable to comply. Cardiology",
        "I lean away from Cardiology.",
        "It would be a mistake to choose Cardiology.",
        "Anything besides Cardiology.",
        "Cardiology has many journals.",
        "Somebody in Cardiology might know.",
        "Unfortunately the vignette is short. Cardiology wards see many such patients.",
        "I won't help with that; the answer is for Cardiology to give.",
    ],
)
def test_a_name_that_is_only_spoken_of_is_no_vote(text):
    """What counts is a sentence that gives the name as the answer, and not the lack of a word that denies it."""
    assert read_answer(text).label == ""


@pytest.mark.parametrize(
    "text",
    [
        "<contemplation>Specialty: Neurology?</contemplation>Cardiology",
        "[PONDERING]Neurology[/PONDERING] The field is Cardiology.",
        '{"best_fit": "Cardiology", "runner_up": "Neurology"}',
        '{"choice": "Cardiology"}',
        "I would go with Cardiology.",
        "This clearly points to Cardiology.",
    ],
)
def test_further_forms_of_an_answer_are_read(text):
    assert read_answer(text).label == C


@pytest.mark.parametrize(
    "text",
    [
        "Based on the clinical presentation of chest pain radiating to the left arm, the most "
        "appropriate specialty is Cardiology.",
        "This clinical vignette pertains to **Cardiology**.",
        "This question falls under the specialty of Cardiology, as it involves the diagnosis of an "
        "acute coronary syndrome.",
        "The patient presents with chest pain and ECG changes, suggesting myocardial infarction. "
        "Therefore, the specialty is Cardiology.",
        "Specialty: Cardiology\n\nThe vignette describes an acute coronary syndrome. There are no signs of infection.",
        "**Cardiology**\n\nThe question tests knowledge of heart failure management.",
        "Explanation: The patient has no fever and no rash. The ECG shows ST elevation.\n\nSpecialty: Cardiology",
        "The answer is Cardiology. The patient has ST elevation and does not have neurological deficits.",
        "I would classify this question under Cardiology.",
        "I would call a cardiologist.",
        "I would phone Cardiology because of the ST elevation.",
        "A cardiologist would be best suited to answer this.",
        "The specialty that best matches this question is Cardiology.",
        "Among the given specialties, Cardiology is the most relevant.",
        "Of the listed options, the best choice is Cardiology.",
        "The best specialty for this question is Cardiology, since the patient has atrial fibrillation.",
        "This is a Cardiology question.",
        "This is a cardiology question about atrial fibrillation.",
        "The medical specialty most relevant to this question would be Cardiology.",
        "Medical specialty: Cardiology",
        "Answer: Specialty: Cardiology",
        "Final Answer: **Cardiology**",
        "The correct specialty is: Cardiology.",
        "Sure! Here is the answer:\n\nSpecialty: Cardiology",
        "Specialty: Cardiology (heart and vessels)",
        "Specialty: Cardiology.\nReason: The ECG shows ST elevation, but there is no fever.",
        "Specialty: Cardiology\nExplanation: This is not a neurological problem; it is the heart.",
        "Let's think step by step. The patient has chest pain. This is not a lung problem. So the "
        "specialty is Cardiology.",
        "The question is about the heart, so the answer is Cardiology.",
        "Since the patient has chest pain, the field is Cardiology.",
        "Category: Cardiology",
        "Cardiology - the patient has an arrhythmia.",
        "Cardiology: the patient has an arrhythmia.",
        "My choice: Cardiology",
        "My answer is Cardiology",
        "Predicted specialty: Cardiology",
        "Primary Specialty: Cardiology\nSecondary Specialty: Internal medicine",
        "The specialty for this question is Cardiology because the patient's ECG isn't normal.",
        "The appropriate clinical specialty for this multiple-choice question is Cardiology.",
        "Specialty: Cardiology<|eot_id|>",
        "Specialty: Cardiology\n\nNote: I'm an AI and this is not medical advice.",
    ],
)
def test_what_models_usually_write_is_read(text):
    assert read_answer(text).label == C


@pytest.mark.parametrize(
    "text",
    [
        "Cardiology (a common wrong answer here)",
        "Cardiology: this was my first guess only",
        "Cardiology - considered by the student first",
        "The student said it is the heart, so the answer is Cardiology.",
        "If it were about the heart, so the answer would be Cardiology.",
        "Cardiology (not in this case)",
        "Cardiology: ruled out by the normal ECG",
    ],
)
def test_what_stands_behind_a_name_or_leads_to_it_can_still_deny_it(text):
    assert read_answer(text).label == ""
