"""The five prompts are files, and what a question says can't change them."""

import shutil

import pytest

from neuro2cardio.annotation import prompts
from neuro2cardio.core.errors import InputError

STEM = "A man coughs. What does he have?"
OPTIONS = ["A cold", "A dog"]


@pytest.fixture
def folder(tmp_path):
    return shutil.copytree(prompts.FOLDER, tmp_path / "prompts")


def filled(texts, way, stem=STEM):
    return prompts.fill(texts[way], stem, OPTIONS, ["Cardiology", "Neurology"])


def test_each_way_shows_question_options_and_list_once_and_asks_for_the_same_line():
    texts = prompts.load()
    assert tuple(texts) == prompts.WAYS
    for way in prompts.WAYS:
        message = filled(texts, way)
        assert message.count(STEM) == message.count("- A dog") == message.count("Cardiology, Neurology, Others") == 1
        assert message.endswith("Specialty: <name>")
        assert "$" not in message


def test_the_five_ways_differ_as_in_the_study():
    texts = prompts.load()
    shown = {way for way in prompts.WAYS if "58 wakes with crushing pressure" in texts[way]}
    assert shown == {"examples", "list-last"}
    last = filled(texts, "list-last")
    assert last.index(STEM) < last.index("Cardiology, Neurology, Others")
    first = filled(texts, "examples")
    assert first.index("Cardiology, Neurology, Others") < first.index("58 wakes") < first.index(STEM)
    assert "explain" in filled(texts, "explained")
    assert "medical student" in filled(texts, "student")


def test_dollars_in_questions_and_examples_stay_what_they_are(folder):
    stem = "It costs $5, $stem and ${options}. Why?"
    (folder / "shown.txt").write_text("Question: what is $100 worth?\nSpecialty: Public health\n")
    message = filled(prompts.load(folder), "examples", stem)
    assert stem in message
    assert "what is $100 worth?" in message


def test_a_users_own_prompt_is_used(folder):
    (folder / "plain.txt").write_text("$stem $options $specialties ${specialties} for $$1?")
    assert filled(prompts.load(folder), "plain").endswith("Others for $1?")


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("$stem $options $specialities", r"plain\.txt: unknown placeholder \$specialities"),
        ("$stem $options", r"plain\.txt: needs the placeholders \$specialties"),
        ("$stem $options $specialties for 5$", r"plain\.txt: a lone \$"),
    ],
)
def test_a_wrong_prompt_file_is_named(folder, text, complaint):
    (folder / "plain.txt").write_text(text)
    with pytest.raises(InputError, match=complaint):
        prompts.load(folder)


def test_a_missing_prompt_file_is_named(folder):
    (folder / "student.txt").unlink()
    with pytest.raises(InputError, match=r"student\.txt: a prompt file that cannot be read"):
        prompts.load(folder)
