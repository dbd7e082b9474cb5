# What a user sees when the run is done.
from time import time

PARSED = time()


onsuccess:
    summary = Path(f"{TABLES}/summary.txt")
    # A run that did not touch the grid's tables (one specialty, a plan) has nothing to say about them.
    if summary.exists() and summary.stat().st_mtime > PARSED:
        print(f"\n{summary.read_text(encoding='utf-8')}\nFigures: {RESULTS}/figures\nTables:  {TABLES}")
