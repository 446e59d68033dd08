"""A pack of one seat around a model of its own, with torch's AdamW, for draws that cannot share a base."""

import random
from collections.abc import Callable, Mapping, Sequence

import numpy as np
import torch
from torch import Tensor

from spaces.draw import Draw
from spaces.probe_settings import Sampling
from trainable.family.process_group import ProcessGroup
from trainable.family.protocol import Batch, ClipLosses, Learner, SeatState, SpeechPrompt, Utterance
from trainable.stopping.curve import ClipRow

SEAT = 0


class SingleSeatPack:
    """See `trainable.family.protocol.Pack`. The learner was built for the only draw that may join."""

    seats = 1

    def __init__(self, learner: Learner, draw: Draw, process_group: ProcessGroup) -> None:
        self.batch = draw.batch
        self.split, self.takes_instructions = learner.split, learner.takes_instructions
        self.loss_parts = learner.loss_parts
        self._learner, self._draw, self._group = learner, draw, process_group
        groups = learner.parameter_groups(draw)
        self._rates = [group["lr"] for group in groups]
        self._parameters = [parameter for group in groups for parameter in group["params"]]
        self.device = self._parameters[0].device
        names = {id(tensor): name for name, tensor in learner.tensors().items()}
        self._names = [names[id(parameter)] for parameter in self._parameters]
        self._optimizer = torch.optim.AdamW(groups, weight_decay=draw.weight_decay)
        self._seed = 0
        self._steps = 0

    def join(self, seat: int, draw: Draw, seed: int) -> None:
        """Raises ValueError for another draw than the learner was built for."""
        if seat != SEAT or draw != self._draw:
            raise ValueError(f"expected the draw {self._draw.describe()} in seat 0, got {draw.describe()} in {seat}")
        self._seed = seed

    def leave(self, seat: int) -> None:
        """Does nothing: no other trial can join."""

    def losses(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        with torch.no_grad():
            return {SEAT: _rows(self._forward(batches[SEAT]))}

    def validate(self, seats: Sequence[int], clips: Sequence[int]) -> dict[int, list[ClipRow]]:
        self._learner.eval()
        with torch.no_grad():
            return {seat: _rows(self._learner.losses(clips, step=0)) for seat in seats}

    def accumulate(self, batches: Mapping[int, Batch]) -> dict[int, list[ClipRow]]:
        batch = batches[SEAT]
        if not batch.clips:
            return {SEAT: []}
        losses = self._forward(batch)
        (losses.training.sum() * batch.weight).backward()
        return {SEAT: _rows(losses)}

    def step(self, lr_factors: Mapping[int, float]) -> dict[int, float]:
        for group, rate in zip(self._optimizer.param_groups, self._rates, strict=True):
            group["lr"] = rate * lr_factors[SEAT]
        for parameter in self._parameters:
            if parameter.grad is None:
                parameter.grad = torch.zeros_like(parameter)
            self._group.all_reduce_(parameter.grad)
        norm = torch.nn.utils.clip_grad_norm_(self._parameters, self._draw.clip_norm)
        self._optimizer.step()
        self._optimizer.zero_grad(set_to_none=True)
        self._steps += 1
        return {SEAT: float(norm)}

    def state(self, seat: int) -> SeatState:
        weights = {name: _to_cpu(tensor) for name, tensor in self._learner.tensors().items()}
        state = self._optimizer.state
        moments = {
            f"{name}.{key}": _to_cpu(state[parameter][key])
            for name, parameter in zip(self._names, self._parameters, strict=True)
            for key in ("exp_avg", "exp_avg_sq")
            if parameter in state
        }
        return SeatState(weights, moments, self._steps)

    def snapshot(self, seat: int) -> Callable[[], SeatState]:
        weights = {name: tensor.detach().clone() for name, tensor in self._learner.tensors().items()}
        steps = self._steps
        return lambda: SeatState({name: _to_cpu(tensor) for name, tensor in weights.items()}, {}, steps)

    def load(self, seat: int, state: SeatState) -> None:
        self._learner.load_tensors(state.weights)
        self._steps = state.step
        if not state.moments:
            return
        loaded = self._optimizer.state_dict()
        loaded["state"] = {
            index: {
                "step": torch.tensor(float(state.step)),
                "exp_avg": state.moments[f"{name}.exp_avg"],
                "exp_avg_sq": state.moments[f"{name}.exp_avg_sq"],
            }
            for index, name in enumerate(self._names)
        }
        self._optimizer.load_state_dict(loaded)

    def speak(
        self, seats: Sequence[int], prompts: Sequence[SpeechPrompt], sampling: Sampling
    ) -> dict[int, list[Utterance]]:
        self._learner.eval()
        return {seat: self._learner.speak(prompts, sampling) for seat in seats}

    def ground_truth(self, clip: int) -> np.ndarray:
        return self._learner.ground_truth(clip)

    def speaker_embedding(self, wave: np.ndarray) -> np.ndarray:
        return self._learner.speaker_embedding(wave)

    def _forward(self, batch: Batch) -> ClipLosses:
        """Seeds dropout by seed, step and clips alone, so that a resumed trial draws the same masks."""
        torch.manual_seed(random.Random(f"{self._seed}/{batch.step}/{list(batch.clips)}").getrandbits(63))
        self._learner.train()
        return self._learner.losses(batch.clips, batch.step)


def _rows(losses: ClipLosses) -> list[ClipRow]:
    """One row per clip, in a single transfer from the device."""
    parts = [part.detach().float() for part in losses.parts.values()]
    return [tuple(row) for row in torch.stack(parts, dim=1).tolist()]


def _to_cpu(tensor: Tensor) -> Tensor:
    return tensor.detach().to("cpu", copy=True).contiguous()
