"""What each column of the page's tables is: a name for people, how its numbers are written, and its definition.

docs/methods.md defines the numbers at length; this is what a reader is told beside a table.
"""

from collections.abc import Iterable
from typing import Literal, NamedTuple

Kind = Literal["text", "train", "seed", "count", "percent", "points", "size", "nats", "p", "number"]
"""How a cell is written. `percent`, `points` and `size` are shares in the table, and are shown times 100; `points` have
a sign; `train` is the name of a train set; `seed` is empty for base models."""
NUMBERS: frozenset[Kind] = frozenset({"count", "percent", "points", "size", "nats", "p", "number"})
"""Kinds whose cells are numbers."""


class Column(NamedTuple):
    """One column: its heading, how it is written, and what it is."""

    label: str
    kind: Kind
    says: str


_EVERYWHERE = {
    "model": Column("model", "text", "The base model."),
    "recipe": Column("recipe", "text", "How adapters were trained; base: no adapter."),
    "method": Column("method", "text", "How answers were read: by option text, by letter, or from generated text."),
    "train_set": Column("fine-tuned on", "train", "The train set: a specialty or a control."),
    "test_specialty": Column("tested on", "text", "The specialty of the test questions; all: every test question."),
    "seed": Column("seed", "seed", "Of the adapter's training; all: seeds averaged."),
    "n_seeds": Column("seeds", "count", "Adapters that were trained with different seeds and are averaged."),
    "n_questions": Column("questions", "count", "Test questions."),
    "n_adapters": Column("adapters", "count", "Adapters that the number rests on."),
    "given": Column("given", "text", "What it is about alone, for want of others: this seed, or these adapters."),
    "low": Column("from", "points", "Lower bound of the interval."),
    "high": Column("to", "points", "Upper bound."),
    "p": Column("p", "p", "Two-sided, before correction."),
    "p_holm": Column("p, Holm", "p", "Corrected by Holm's method over the models, recipes and methods of one effect."),
    "q": Column("q", "p", "Benjamini-Hochberg over the cells of one heatmap."),
    "estimate": Column("estimate", "points", "In points of accuracy."),
    "smallest_detectable": Column(
        "would have been found", "size", "The effect that such a test finds with a chance of 80%, in points."
    ),
    "specialty": Column("specialty", "text", "The specialty of the questions."),
    "context": Column("context", "text", "Whether the stem is read inside the prompt or bare."),
    "scope": Column("lexicon", "text", "strict: terms that are surely clinical; broad: more of them."),
    "n_mentions": Column("mentions", "count", "Different terms in the test questions, each with its own placebo."),
    "n_words": Column("words", "count", "Different texts among them."),
    "note": Column("note", "text", "Why there is no interval."),
}
_SHIFT = {
    "shift": Column("shift", "nats", "Change of the log-probability per token against the base model, in nats."),
    "low": Column("from", "nats", "Lower bound; errors are clustered by question and by word."),
    "high": Column("to", "nats", "Upper bound; errors are clustered by question and by word."),
    "term_specialty": Column("terms of", "text", "The specialty of the terms."),
    "group": Column("words", "text", "Which words, or which contrast of them."),
    "measure": Column("measure", "text", "mean: per token; sum: per mention; first: of the first token."),
    "kind": Column("kind", "text", "Group, contrast or sensitivity analysis."),
    "seed_sd": Column("sd over seeds", "nats", "Standard deviation over seeds."),
}
_CHANGE = {
    "accuracy": Column("accuracy", "percent", "Mean over questions and seeds."),
    "accuracy_low": Column("from (accuracy)", "percent", "Lower bound of accuracy (Wilson)."),
    "accuracy_high": Column("to (accuracy)", "percent", "Upper bound."),
    "seed_sd": Column("sd over seeds", "percent", "Standard deviation over seeds of the accuracy."),
    "against": Column("against", "train", "What the change is against."),
    "change": Column("change", "points", "Mean of (adapter right - base right) over the same questions and all seeds."),
    "change_low": Column("from (change)", "points", "Lower bound of the change, paired by question (Bonett & Price)."),
    "change_high": Column("to (change)", "points", "Upper bound."),
    "n_discordant": Column("answers differ", "count", "Questions that adapter and base model do not answer alike."),
    "tied_share": Column("ties", "percent", "Answers that share the first place with another option."),
}
_COST = {
    "rule": Column("step", "text", "The kind of job."),
    "jobs": Column("jobs", "count", "Jobs that the grid needs."),
}
_REJECTED = {
    "source": Column("source", "text", "The data source."),
    "source_row": Column("row", "text", "The row of the source."),
    "reason": Column("reason", "text", "Why the row was rejected."),
    "excerpt": Column("excerpt", "text", "How the row starts."),
}
_CONFUSED = "Questions of the true specialty (row) for which the vote said this (column)."
_OF_TABLE = {
    "transfer_matrix": _CHANGE,
    "effects": {
        "effect": Column(
            "effect",
            "text",
            "common_gain: mean change of the specialties' adapters. gain_of: a control's own change. gain_beyond: what "
            "the specialties' adapters gain beyond it. specialty_knowledge: what the own adapter adds beyond train set "
            "and test specialty.",
        ),
        "of": Column("control", "train", "The control that the effect is about."),
        "df": Column("df", "number", "Degrees of freedom of the error (Satterthwaite's)."),
        "n_train_sets": Column("train sets", "count", "Train sets that the number rests on."),
    },
    "diagonal": {
        "own_accuracy": Column("own adapter", "percent", "Accuracy of the specialty's own adapter."),
        "others_accuracy": Column("others", "percent", "Mean accuracy of the other specialties' adapters."),
        "advantage": Column(
            "own stands out by", "points", "What the own adapter adds beyond its change elsewhere and the others' here."
        ),
        "best_other": Column("best of the others", "train", "The other train set with the highest accuracy."),
        "own_minus_best": Column("own minus best", "points", "Own accuracy minus that of the best of the others."),
        "best_low": Column("from (best)", "points", "Simultaneous lower bound (comparisons with the best, Hsu 1984)."),
        "best_high": Column("to (best)", "points", "Simultaneous upper bound (comparisons with the best, Hsu 1984)."),
        "best_p": Column("p (best)", "p", "One-sided, of the own adapter being no better than the best of the others."),
        "best_p_holm": Column("p (best), Holm", "p", "The same, corrected for asking of several specialties."),
        "answer": Column("best?", "text", "Whether the own adapter is better than every other one."),
    },
    "dose": {
        "series": Column("like recipe", "text", "The first of the recipes that differ in their dose alone."),
        "questions": Column("train questions", "count", "Mean number of train questions of a specialty."),
        "epochs": Column("epochs", "count", "How often each of them is seen."),
        "seen": Column("seen", "count", "Train questions seen, repeats included."),
        "measure": Column("measure", "text", "common_gain, specialty_knowledge: as in effects; probes: facts learned."),
        "broken": Column("broken", "count", "Adapters that failed a check of their training."),
        "against": Column("against", "text", "The recipe of the smallest dose, where this is the largest."),
        "added": Column("adds", "points", "What the largest dose adds to the smallest."),
        "added_low": Column("from (adds)", "points", "Lower bound of the interval, paired by question and train set."),
        "added_high": Column("to (adds)", "points", "Upper bound of the interval, paired by question and train set."),
        "added_p": Column("p (adds)", "p", "Two-sided, not corrected."),
        "added_detectable": Column(
            "adds, found", "size", "What would have been found with a chance of 80%, in points."
        ),
    },
    "power": {
        "statement": Column("statement of the verdict", "text", "What the grid is to decide."),
        "found": Column("found with 80%", "number", "The smallest effect that is found with a chance of 80%."),
        "unit": Column("unit", "text", "Of the effects: points of accuracy, or nats per token."),
        "found_corrected": Column("after correction", "number", "The same after Holm's correction at its worst."),
        "matters": Column("matters", "number", "The smallest effect that matters (statistics.smallest_effect)."),
        "questions_needed": Column(
            "questions needed", "count", "Test questions a specialty with which an effect that matters would be found."
        ),
    },
    "position_bias": {
        "letter": Column("letter", "text", "The letter at which the right option stands."),
        "permutations": Column("orders", "count", "Orders of the options in which each question was asked."),
        "recall": Column("recall", "percent", "Of prompts with the right option at this letter: answered rightly."),
        "recall_low": Column("from", "percent", "Lower bound of recall (Wilson)."),
        "recall_high": Column("to", "percent", "Upper bound of recall (Wilson)."),
        "chosen_share": Column("chosen", "percent", "Of all prompts: answered with this letter."),
        "recall_sd": Column("sd of recall", "percent", "Over letters; 0 without position bias."),
        "flip_rate": Column("flips", "percent", "Questions whose answer depends on the order of the options."),
    },
    "answer_mass": {
        "n_prompts": Column("prompts", "count", "Questions in all their orders, over all seeds."),
        "answer_mass": Column("on the letters", "percent", "Mean probability of all offered letters together."),
        "unparsed_share": Column("unparsed", "percent", "Generated texts that name no option."),
    },
    "training_checks": {
        "steps": Column("steps", "count", "Optimiser steps."),
        "first_loss": Column("first loss", "nats", "Mean loss of the first tenth of the steps."),
        "last_loss": Column("last loss", "nats", "Mean loss of the last tenth of the steps."),
        "uniform_loss": Column("uniform loss", "nats", "ln(vocabulary): the loss of a model that knows nothing."),
        "steps_without_gradient": Column("without gradient", "count", "Last steps whose gradient is exactly zero."),
        "tied_share": Column("ties", "percent", "Answers that share the first place with another option."),
        "chosen_share": Column("one option", "percent", "The largest share of answers on one letter or place."),
        "right_there_share": Column("right there", "percent", "How often the right option stood there."),
        "flags": Column("what is wrong", "text", "Each flag makes the adapter broken: what it answers is no result."),
        "broken": Column("broken", "text", "Whether the adapter has any flag."),
    },
    "base_prompts": {
        "prompt": Column("wording", "number", "0 is that of the configuration; others are inference.base_prompts."),
        "system": Column("system message", "text", "Of the wording."),
        "words": Column("words", "text", "With which the method asks."),
        "answer_cue": Column("before the answer", "text", "What the answer follows."),
        "n_questions": Column("questions", "count", "Validation questions; no test question takes part."),
        "accuracy": Column("accuracy", "percent", "Share of right answers to validation questions."),
        "low": Column("from", "percent", "Lower bound of accuracy (Wilson)."),
        "high": Column("to", "percent", "Upper bound."),
        "chosen": Column("chosen", "text", "Whether the base model answers the test questions with it."),
    },
    "term_shift": _SHIFT,
    "term_shift_grid": _SHIFT,
    "placebo_balance": {
        "n_terms": Column("terms", "count", "Clinical terms of the test questions."),
        "n_terms_cut_off": Column("cut off", "count", "Terms cut off with the start of a stem; they are left out."),
        "n_pairs": Column("pairs", "count", "Terms with a placebo."),
        "tokens_term": Column("tokens, terms", "number", "Mean number of tokens."),
        "tokens_placebo": Column("tokens, placebos", "number", "Mean number of tokens."),
        "same_tokens_share": Column("equal tokens", "percent", "Pairs of exactly as many tokens."),
        "base_logprob_term": Column("base, terms", "nats", "Log-probability per token under the base model."),
        "base_logprob_placebo": Column("base, placebos", "nats", "Log-probability per token under the base model."),
        "start_term": Column("place, terms", "number", "Mean place in the stem, in characters."),
        "start_placebo": Column("place, placebos", "number", "Mean place in the stem, in characters."),
    },
    "probes": {
        "form": Column("asked", "text", "How the fact is asked; all: every form."),
        "facts": Column("facts", "text", "Trained on, never trained on, or the difference (knowledge injection)."),
        "adapter": Column("adapter", "text", "Own specialty's, the others', or the difference."),
        "accuracy": Column("accuracy", "percent", "Share of right answers."),
        "base_accuracy": Column("base model", "percent", "The base model's share of right answers."),
        "n_facts": Column("facts (n)", "count", "Facts; of a difference, those trained on."),
        "n_questions": Column("probes", "count", "Probes: facts in all their forms."),
    },
    "probe_facts": {
        "fact": Column("fact", "text", "The id of the fact's term."),
        "form": Column("asked", "text", "How the fact is asked."),
        "trained": Column("trained on", "text", "Whether the own specialty's train set asks for it."),
        "stem": Column("probe", "text", "The question."),
        "answer": Column("answer", "text", "The right option."),
        "base": Column("base model", "percent", "Share of right answers of the base model."),
        "own": Column("own adapter", "percent", "Share of the own adapters that answer rightly, seeds pooled."),
        "others": Column("others", "percent", "Share of the others' adapters that answer rightly."),
    },
    "flow": {
        "step": Column("step", "text", "What was done to the rows."),
        "n": Column("rows", "count", "Rows after it, or that it concerned."),
    },
    "summary": {
        "train": Column("train", "count", "Questions of the split."),
        "validation": Column("validation", "count", "Questions of the split."),
        "test": Column("test", "count", "Questions of the split; those of several specialties count in each."),
    },
    "rejected": _REJECTED,
    "doubles": _REJECTED,
    "leakage": {
        "split": Column("split", "text", "The split that the row was left out of."),
        "source_row": Column("row", "text", "The row that was left out."),
        "question_id": Column("question", "text", "Its id."),
        "stands_in": Column("stands in", "text", "The split that holds the question which it resembles."),
        "as_source_row": Column("as row", "text", "The row which it resembles."),
        "as_question_id": Column("as question", "text", "The question which it resembles."),
        "jaccard": Column("alike", "percent", "Share of word sequences that the two have in common (Jaccard)."),
    },
    "similar": {
        "split": Column("split", "text", "The split of the question."),
        "source_row": Column("row", "text", "Its row."),
        "question_id": Column("question", "text", "Its id."),
        "stands_in": Column("similar to one in", "text", "The split that holds the question which it resembles."),
        "as_source_row": Column("as row", "text", "The row which it resembles."),
        "as_question_id": Column("as question", "text", "The question which it resembles."),
        "containment": Column("alike", "percent", "Share of the shorter question's word sequences that the other has."),
        "stem": Column("stem", "text", "The question."),
        "as_stem": Column("stem of the other", "text", "The question which it resembles."),
    },
    "moved": {
        "question_id": Column("question", "text", "Its id."),
        "was": Column("was in", "text", "Its split before the source was changed."),
        "now": Column("is in", "text", "Its split now."),
        "stem": Column("stem", "text", "The question."),
    },
    "plan": _COST
    | {
        "tokens": Column("tokens", "count", "Tokens that the model reads in these jobs."),
        "flops": Column("operations", "text", "Floating-point operations."),
        "hours": Column("hours", "number", "Hours of all jobs together, planned."),
        "gpus": Column("GPUs", "count", "Of each job."),
        "gpu_hours": Column("GPU hours", "number", "Hours times GPUs."),
        "gpu_memory_gb": Column("GPU memory", "number", "Peak on each GPU, in GB."),
        "memory_gb": Column("memory", "number", "What each job asks for, in GB."),
        "disk_gb": Column("disk", "number", "What the jobs leave, in GB."),
        "basis": Column("basis", "text", "Where the size of the model is known from."),
    },
    "cost": _COST
    | {
        "measured_jobs": Column("measured", "count", "Jobs that were measured."),
        "planned_hours": Column("hours planned", "number", "Of the measured jobs."),
        "measured_hours": Column("hours measured", "number", "Of the measured jobs."),
        "ratio": Column("measured / planned", "number", "Above 1: slower than planned."),
        "tokens_per_second": Column("tokens per second", "number", "Read by the model, loading it included."),
        "max_rss_gb": Column("memory", "number", "Largest resident memory of a job, in GB."),
        "slurm_jobs": Column("Slurm jobs", "count", "By Slurm's accounting, every attempt."),
        "slurm_hours": Column("Slurm hours", "number", "By Slurm's accounting, every attempt."),
    },
    "digests": {
        "adapter_sha256": Column("adapter, SHA-256", "text", "Of the adapter's weights."),
        "train_set_sha256": Column("train set, SHA-256", "text", "Of the questions that it was trained on."),
    },
    "status": {
        "status": Column("status", "text", "What became of the question: accepted, or why not."),
        "winner": Column("winner", "text", "The specialty with most votes."),
        "n": Column("questions", "count", "Questions."),
    },
    "problems": {
        "prompt": Column("prompt", "text", "The annotator's prompt."),
        "problem": Column("problem", "text", "Why its answer gave no label."),
        "n": Column("such answers", "count", "Answers with this problem."),
        "answers": Column("of answers", "count", "All answers to the prompt."),
    },
    "agreement": {
        "statistic": Column("statistic", "text", "Krippendorff's alpha of all, Cohen's kappa of each pair."),
        "raters": Column("raters", "text", "Prompts, or experts."),
        "n": Column("questions", "count", "Questions that at least two of them rated."),
        "value": Column("value", "number", "1: they always agree; 0: as chance would."),
        "low": Column("from", "number", "Lower bound, by bootstrap over questions."),
        "high": Column("to", "number", "Upper bound."),
    },
    "quorum": {
        "quorum": Column("quorum", "count", "Votes that a specialty needs."),
        "by": Column("slices", "text", "All questions, by true specialty (truth), or by the winner of the vote."),
        "n": Column("questions", "count", "Questions whose true specialties are known."),
        "covered": Column("covered", "count", "Questions for which a released specialty reaches the quorum."),
        "correct": Column("correct", "count", "Covered questions whose winner is among their true specialties."),
        "coverage": Column("coverage", "percent", "Covered, of all."),
        "coverage_low": Column("from (coverage)", "percent", "Lower bound (Wilson)."),
        "coverage_high": Column("to (coverage)", "percent", "Upper bound."),
        "accuracy": Column("accuracy", "percent", "Correct, of those covered."),
        "accuracy_low": Column("from (accuracy)", "percent", "Lower bound (Wilson)."),
        "accuracy_high": Column("to (accuracy)", "percent", "Upper bound."),
    },
    "conformal": {
        "n": Column("questions", "count", "Questions of the evaluation half."),
        "coverage": Column("coverage", "percent", "Sets that hold a true specialty."),
        "coverage_low": Column("from", "percent", "Lower bound of coverage."),
        "coverage_high": Column("to", "percent", "Upper bound."),
        "lowest_expected": Column(
            "by chance as low as", "percent", "By chance, coverage falls below in one of 40 calibrations."
        ),
        "size": Column("size", "number", "Mean number of specialties in a set."),
        "median_size": Column("median size", "number", "Median number of specialties in a set."),
        "empty": Column("empty", "percent", "Sets without any specialty."),
        "f1": Column("F1", "number", "Of sets against true specialties."),
    },
    "trail": {
        "question_id": Column("question", "text", "Its id."),
        "drawn": Column("drawn", "text", "Why experts were asked: at random, or for its specialty."),
        "verdict": Column("verdict", "text", "What the experts made of the vote."),
        "before": Column("vote", "text", "The accepted winner of the vote."),
        "after": Column("experts", "text", "The specialty that the experts gave."),
        "also": Column("also", "text", "Further specialties that they gave."),
        "experts": Column("by", "text", "Who rated it."),
        "agreeing": Column("agree", "count", "Experts who gave that specialty."),
        "ratings": Column("ratings", "count", "Experts who rated it."),
    },
    "dropped": {
        "question_id": Column("question", "text", "Its id."),
        "status": Column("status", "text", "Why the vote gave it no specialty."),
        "winner": Column("winner", "text", "The specialty with most votes."),
        "agreement": Column("votes", "count", "Votes for it."),
    },
    "overlap": {
        "other": Column("also in", "train", "Another train set."),
        "n": Column("questions", "count", "Questions that are in both."),
        "share": Column("share", "percent", "Of the first train set."),
    },
}
_FIGURES = {
    "figure_transfer": _CHANGE,
    "figure_decomposition": {
        "common": Column("common gain", "points", "Mean change of all adapters on all specialties."),
        "train_set_effect": Column("train set", "points", "What its adapter gains everywhere, beyond the common gain."),
        "test_specialty_effect": Column(
            "test specialty", "points", "What all adapters gain on it, beyond the common gain."
        ),
        "own_beyond_both": Column("own adapter, beyond both", "points", "What is left on the diagonal."),
    },
    "figure_controls": _OF_TABLE["effects"],
    "figure_own": _OF_TABLE["diagonal"],
    "figure_position": _OF_TABLE["position_bias"],
    "figure_terms": _SHIFT,
    "figure_dose": _OF_TABLE["dose"],
    "figure_calibration": {
        "n": Column("questions", "count", "Questions whose chosen option has a probability in this tenth."),
        "confidence": Column("probability", "percent", "Mean probability of the chosen option, of all options."),
        "accuracy": Column("accuracy", "percent", "Share of right answers among them."),
        "ece": Column("ECE", "number", "Expected calibration error: mean distance of the two, weighted by questions."),
    },
    "figure_training": {
        "step": Column("step", "count", "Optimiser step."),
        "loss": Column(
            "loss", "nats", "Training loss, mean over answer tokens (loss completion) or all tokens (loss full)."
        ),
    },
}
"""The same for the numbers of the page's figures."""
CAPTIONS = {
    "effects": "Common gain, controls and specialty knowledge",
    "diagonal": "Each specialty's own adapter against the others",
    "power": "What a grid of this size can find",
    "position_bias": "Recall by the letter at which the right option stands",
    "answer_mass": "Probability on the offered letters",
    "training_checks": "Checks of training and answers, adapter by adapter",
    "placebo_balance": "How alike terms and placebos are before any fine-tuning",
    "probes": "Facts asked another way than in training",
    "probe_facts": "Every probe",
    "flow": "From rows read to questions",
    "summary": "Questions of each specialty and split",
    "rejected": "Rows that were rejected",
    "leakage": "Rows left out because they resemble a question of another split",
    "overlap": "Questions that train sets share",
    "similar": "Questions that are kept though they resemble one of another split",
    "moved": "Questions that are in another split than before",
    "transfer_matrix": "Every accuracy and every change against the base model",
    "term_shift": "Shifts and contrasts of terms and placebo words",
    "term_shift_grid": "Shifts of terms, train set by specialty of the terms",
    "base_prompts": "Wordings tried on the validation questions",
    "dose": "What more training questions change",
    "plan": "What the grid was planned to need",
    "cost": "What it was planned to need, and what it needed",
    "status": "What became of each question",
    "problems": "Answers of the annotator that gave no label",
    "agreement": "Agreement of the raters",
    "quorum": "Accuracy and coverage of the vote at each quorum",
    "confusion": "True specialty and what the vote said",
    "conformal": "Sets of specialties on questions that did not calibrate them",
    "trail": "What experts changed",
    "dropped": "Questions that are not released",
    "doubles": "Questions of the release that were merged or contradict each other",
}
"""What each table is called on the page."""


def described(table: str, columns: Iterable[str]) -> dict[str, Column]:
    """The columns of a table that have a definition here, by name."""
    known = _EVERYWHERE | _OF_TABLE.get(table, {})
    if table == "confusion":
        known = {name: Column(name, "count", _CONFUSED) for name in columns} | known
    return {name: known[name] for name in columns if name in known}


def of_figures() -> dict[str, dict[str, Column]]:
    """The columns of the numbers behind each figure."""
    return {name: _EVERYWHERE | own for name, own in {**_FIGURES, "digests": _OF_TABLE["digests"]}.items()}
