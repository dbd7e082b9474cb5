# What a user sees: a short dry run, and what came out when the run is done.
import json
from time import time

from snakemake.logging import logger
from snakemake_interface_logger_plugins.common import LogEvent

PARSED = time()

# A dry run of the full grid would print 600 jobs. It says how many of each rule there are and why; -p lists each.
if DRY_RUN and not (workflow.output_settings.printshellcmds or workflow.output_settings.verbose):
    logger.addFilter(lambda record: getattr(record, "event", None) not in (LogEvent.JOB_INFO, LogEvent.GROUP_INFO))


onsuccess:
    summary = Path(f"{TABLES}/summary.txt")
    # A run that did not touch the grid's tables (one specialty, a plan) has nothing to say about them.
    if summary.exists() and summary.stat().st_mtime > PARSED:
        print(f"\n{summary.read_text(encoding='utf-8')}\nFigures: {FIGURES}\nTables:  {TABLES}")
        # The licence of the Human Phenotype Ontology asks for its name and version wherever it was used.
        for what, path in {"Questions": "questions/source.json", "Terms": "terms/mentions.json"}.items():
            said = json.loads(Path(RESULTS, path).read_text(encoding="utf-8"))
            named = {k: v for k, v in said.items() if isinstance(v, str)}
            print(f"{what} use " + "; ".join(f"{k}: {v}" for k, v in named.items()))
