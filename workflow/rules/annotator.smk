# The annotator that the configuration names, as settings, files and resources of the rules in annotation.smk.
import re

from neuro2cardio.annotation import labels, prompts

ANNOTATOR = SETTINGS.dataset.annotation.annotator

try:
    CANDIDATES = labels.candidates(
        SETTINGS.dataset.annotation.candidates, SETTINGS.dataset.further_specialties, SETTINGS.dataset.own_names()
    )
except InputError as error:
    stop(error)


def annotator_files():
    """The files that the annotator is made of."""
    if ANNOTATOR.backend == "transformers":
        return {"record": RECORD.format(model=ANNOTATOR.model)}
    if ANNOTATOR.backend == "lexicon":
        return {"lexicon": f"{TERMS}/lexicon.parquet"}
    return {}


def annotator_options():
    """The same, as options of the command, and where it keeps what it has."""
    if ANNOTATOR.backend == "openai":
        # By model, over all experiments, outside of what Snakemake deletes.
        return f"--responses {RESPONSES}/{re.sub('[^A-Za-z0-9.]+', '-', ANNOTATOR.model).strip('-')}.jsonl"
    parts = f" --parts {ANNOTATION}/parts" if ANNOTATOR.backend == "transformers" else ""
    return " ".join(f"--{name} {path}" for name, path in annotator_files().items()) + parts


def prompt_files():
    """The user's own prompts, where there are some. The lexicon is not asked."""
    own = SETTINGS.dataset.annotation.prompts
    return sorted(map(str, own.glob("*.txt"))) if own and ANNOTATOR.backend != "lexicon" else []


def prompts_digest():
    """Digest of the prompts that ship, where they are used: as inputs, their place would matter."""
    if SETTINGS.dataset.annotation.prompts or ANNOTATOR.backend == "lexicon":
        return ""
    return provenance.text_digest(*map(provenance.sha256, sorted(prompts.FOLDER.glob("*.txt"))))


def annotator_settings():
    """What the answers depend on. Limits on requests and money are passed on too: they decide how far a run gets."""
    chosen = SETTINGS.dataset.annotation.model_dump(mode="json", include={"annotator", "prompts"})
    chosen["candidates"] = CANDIDATES
    if ANNOTATOR.backend == "transformers":
        return job_settings_of("annotate", annotation=chosen, usage=usage(ANNOTATOR.model))
    if ANNOTATOR.backend == "lexicon":
        return job_settings_of("annotate", annotation=chosen, terms=SETTINGS.terms)
    return job_settings_of("annotate", annotation=chosen)


def annotator_resource(key, otherwise):
    """What a registered model asks for to score questions; little for the others."""
    if ANNOTATOR.backend == "transformers":
        return lambda wildcards, attempt: getattr(SETTINGS.models[ANNOTATOR.model].resources, key) * attempt
    return per_attempt(otherwise)
