"""After the last trial: finalists are heard for longer, and the base model beside them."""

from __future__ import annotations

import functools

from results.ledger import FinalistHeard, Ledger, read_ledger
from results.ranking import finalists
from results.tensorboard import TensorBoard
from search import chores
from search.failure import root_reason
from search.plan import Plan
from search.view import View
from search.way import Way
from trainable.storage import pull


def hear_finalists(plan: Plan, way: Way, ledger: Ledger, view: View) -> None:
    """Whoever was heard already, before the search was cut off, is not heard again.

    A finalist that cannot be heard is told and stands on its first verdict: nothing that is finished is lost.
    """
    history = read_ledger(plan.run.ledger)
    chosen = finalists(history, plan.space.probe.finalists)
    if not chosen or history.base is None:
        return
    for outcome in (history.base, *chosen):
        if outcome.trial in history.finals:
            continue
        try:
            final = way.do(functools.partial(chores.hear_finalist, plan, outcome), view.progress)
            pull(plan.stored, plan.run.trial(outcome.trial) if outcome.draw else plan.run.base)
        except Exception as error:
            view.say(f"{outcome.trial} was not heard on sixty other lines: {root_reason(error)}")
        else:
            ledger.append(FinalistHeard(final=final))
            TensorBoard(plan.run).final(final)
