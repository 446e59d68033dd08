"""What is left of a trial's checkpoints once it has ended. No torch: whoever writes the ledger does it."""

from __future__ import annotations

import shutil
from contextlib import suppress

from spaces.trial import Outcome
from trainable.trial_folder import TrialFolder

OPTIMIZER = "optimizer.safetensors"
"""In a checkpoint: two thirds of its size, and of use only to a trial that trains on."""


def thin_ended(folder: TrialFolder, outcome: Outcome) -> None:
    """Keeps the weights of the checkpoint that counts, for exports, and nothing else. May be done again; what cannot be
    removed stays."""
    counts = folder.path / outcome.checkpoint if outcome.checkpoint else None
    for checkpoint in folder.checkpoints.glob("*"):
        with suppress(OSError):
            if checkpoint == counts:
                (checkpoint / OPTIMIZER).unlink(missing_ok=True)
            else:
                shutil.rmtree(checkpoint)
