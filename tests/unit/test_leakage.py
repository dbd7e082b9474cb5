from hypothesis import given, settings, strategies as st

from neuro2cardio.questions import leakage

TEXTS = st.dictionaries(
    st.sampled_from([f"q{i}" for i in range(12)]),
    st.lists(st.sampled_from(["a", "b", "c", "d"]), max_size=12).map(" ".join),
    max_size=8,
)


@settings(deadline=None)
@given(texts=TEXTS, held=TEXTS, ngram=st.integers(1, 4), threshold=st.floats(0.05, 1))
def test_the_matrix_finds_what_comparing_all_pairs_finds(texts, held, ngram, threshold):
    expected = {}
    for one, text in texts.items():
        own = leakage.shingles(text, ngram)
        for other, twin in sorted(held.items()):
            its = leakage.shingles(twin, ngram)
            jaccard = len(own & its) / len(own | its)
            if jaccard >= threshold and jaccard > expected.get(one, ("", 0))[1]:
                expected[one] = (other, jaccard)
    expected |= {one: (one, 1.0) for one in texts if one in held}
    assert leakage.find(texts, held, ngram=ngram, threshold=threshold) == expected


def test_a_short_text_is_one_ngram():
    assert leakage.shingles("a b c", 8) == {"a b c"}
    assert leakage.shingles("a b c d", 3) == {"a b c", "b c d"}


def test_a_leak_beyond_the_first_chunk_is_found():
    texts = {f"{n:05d}": f"word{n} again word{n}" for n in range(2 * leakage.CHUNK + 5)}
    last = max(texts)
    assert leakage.find(texts, {"x": texts[last]}, ngram=2, threshold=1) == {last: ("x", 1.0)}
