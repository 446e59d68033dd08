"""A complete toy search in its own process, including the page and an export, with one trial that fails."""

from __future__ import annotations

import sys
from pathlib import Path

from rich.console import Console


def main(folder: Path) -> None:
    from results.export.export import export_trial
    from results.report.page import write_report
    from results.report.picture import draw_search
    from results.run.ledger import read_ledger
    from search.checking.checks import check_plan
    from search.console.after import print_summary
    from search.console.before import print_introduction
    from search.driver import run_search
    from tests.support import frail_family
    from tests.support.toy_search import toy_plan

    console = Console()
    plan = toy_plan(folder, "tests.support.frail_family", trials=3)
    checked = check_plan(plan)
    plan.run.path.mkdir(exist_ok=True)
    (plan.run.path / frail_family.DOOM).touch()
    print_introduction(plan, checked, None, console)
    end = run_search(plan, checked, console)
    print_summary(end, draw_search(plan.run), write_report(plan.run), console)
    kept = next(each.trial for each in read_ledger(plan.run.ledger).outcomes.values() if each.checkpoint)
    export_trial(plan.run, kept, folder / "exported", family=plan.family)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
