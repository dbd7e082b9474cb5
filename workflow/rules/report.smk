# What a user sees when the run is done.
import json
from time import time

PARSED = time()


onsuccess:
    summary = Path(f"{TABLES}/summary.txt")
    # A run that did not touch the grid's tables (one specialty, a plan) has nothing to say about them.
    if summary.exists() and summary.stat().st_mtime > PARSED:
        print(f"\n{summary.read_text(encoding='utf-8')}\nFigures: {RESULTS}/figures\nTables:  {TABLES}")
        # The licence of the Human Phenotype Ontology asks for its name and version wherever it was used.
        for what, path in {"Questions": "questions/source.json", "Terms": "terms/mentions.json"}.items():
            said = json.loads(Path(RESULTS, path).read_text(encoding="utf-8"))
            named = {k: v for k, v in said.items() if isinstance(v, str)}
            print(f"{what} use " + "; ".join(f"{k}: {v}" for k, v in named.items()))
