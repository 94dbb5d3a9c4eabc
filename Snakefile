# The paper as a graph of files: run specification -> run record -> executed chapter -> book.
#
#   snakemake -n records        what is missing
#   snakemake --cores 2 book    the book from the records there are; redoes no run
#   snakemake --cores 2 records --config only=stage=a1
#   snakemake --cores 2 records --config runs=my_runs.json store=my_results
#
# A record that exists is a source file: only missing ones have a rule, so that neither file times
# after a clone nor a change of code can ever retrain or delete one.

import shlex
import sys
from pathlib import Path

from spectra_lib.book.rendering import book_chapters, render_book
from spectra_lib.experiments.campaign import campaign
from spectra_lib.experiments.filters import parse_filter
from spectra_lib.runs.store import RunStore

STORE = RunStore(config.get("store", "results"))
CHAPTERS = book_chapters()
RUNS = Path(config["runs"]) if "runs" in config else None
TASKS = filter(parse_filter(config.get("only")), campaign(RUNS))
WANTED = {str(STORE.record_path(task.spec)): task.spec for task in TASKS}
PRESENT = sorted(
    str(path)
    for path in STORE.path.rglob("*.json")
    if not any(part.startswith(".") for part in path.relative_to(STORE.path).parts)  # checkpoints, weights, locks
)
MISSING = {path: spec for path, spec in WANTED.items() if not Path(path).exists()}
LIBRARY = sorted(str(path) for path in Path("spectra_lib").rglob("*") if path.suffix in (".py", ".json", ".csv"))


localrules:
    book,
    records,


rule book:
    input:
        expand("_build/executed/{chapter}.ipynb", chapter=CHAPTERS),
        ["_config.yml", "_toc.yml"],
        [str(path) for path in Path("book").rglob("*") if path.is_file()],
    output:
        "_build/html/index.html",
    run:
        render_book()


rule chapter:
    input:
        "notebooks/{chapter}.md",
        "book/chapters.yml",
        LIBRARY,
        PRESENT,
    output:
        "_build/executed/{chapter}.ipynb",
    shell:
        # not "run", for which Snakemake starts itself anew for every chapter
        "{sys.executable:q} -m spectra_lib book chapter {wildcards.chapter:q} --as-in-book --output _build/executed"


rule records:
    input:
        list(MISSING),


if MISSING:

    rule record:
        output:
            f"{STORE.path}/{{dataset}}/{{run_id}}.json",
        wildcard_constraints:
            run_id="|".join(spec.run_id for spec in MISSING.values()),
        params:
            runs=f"--runs {shlex.quote(str(RUNS))}" if RUNS else "",
        threads: config.get("threads", 2)
        resources:
            mem_mb=config.get("mem_mb", 8000),
            runtime=config.get("minutes", 1440),
        retries: config.get("retries", 1)
        shell:
            # "running it again" after a kill goes on from the checkpoint
            "{sys.executable:q} -m spectra_lib campaign train {wildcards.run_id:q} --store {STORE.path:q} {params.runs}"
