"""The training loop: batch, loss, step; every so often a line, an evaluation, a checkpoint."""

import hashlib
import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor
from torch.optim.swa_utils import AveragedModel, get_ema_multi_avg_fn

from app.errors import CheckpointMismatch, TrainingDiverged
from app.training import checkpoint
from app.training.checkpoint import BEST, LAST, MIDDLE, State
from app.training.config import TrainingConfig
from app.training.data.batches import Batch, Batches, Plan
from app.training.data.values import Source, fingerprint
from app.training.distributed import Place
from app.training.evaluating import PairsOfCrops, mean_accuracy, verify_all
from app.training.learner import Learner, learner_of
from app.training.watching import Progress, Watcher

_ASKED_EVERY = 10  # iterations between agreements of several processes on whether to stop


@dataclass(frozen=True, slots=True)
class Surroundings:
    """What is around a run: its folder, its place among the processes, who is told, what it is judged on."""

    out: Path
    place: Place
    watchers: Sequence[Watcher] = ()
    sets: Sequence[PairsOfCrops] = ()
    is_stopping: Callable[[], bool] = lambda: False


class Training:
    """A run. Everything random in it is a function of the seed and of the iteration, so that nothing else is kept."""

    def __init__(
        self, config: TrainingConfig, source: Source, around: Surroundings, learner: Learner | None = None
    ) -> None:
        """Begin with a learner's weights, by default such as are drawn from the seed; raises TrainingInvalid."""
        place, schedule = around.place, config.schedule
        self.iteration = 0
        self.learner = (learner or learner_of(config, len(source.classes))).to(place.device)
        self._config = config
        self._around = around
        self._classes = source.classes
        self._joined = place.joined(self.learner)
        self._optimiser = torch.optim.SGD(
            self.learner.groups(),
            schedule.learning_rate,
            config.optimiser.momentum,
            weight_decay=config.optimiser.weight_decay,
        )
        self._scaler = torch.amp.GradScaler(place.device.type, enabled=config.machine.amp == "fp16")
        self._average = _averaging(self.learner, config.optimiser.ema)
        self._plan = Plan(
            source.labels,
            schedule.batch_size,
            config.seed,
            place.process,
            place.processes,
            together=config.data.photos_per_person,
        )
        self._iterations = self._plan.iterations
        self._batches = Batches(source, self._plan, config.data.augmentation, workers=config.data.workers)
        self._run = {"processes": place.processes, "data": fingerprint(source), **config.shaping()}
        self._best = -math.inf
        self._losses: list[Tensor] = []

    @property
    def total(self) -> int:
        """Return the number of iterations of the whole run."""
        return self._iterations * self._config.schedule.epochs

    def run(self) -> bool:
        """Train to the end, or until it shall stop; return whether it came to the end. Raises TrainingDiverged."""
        keeping, every = self._config.keeping, self._config.evaluation.every
        self.learner.train()
        since, clock = self.iteration, time.perf_counter()
        for batch in self._batches.between(self.iteration, self.total):
            self._losses.append(self._step(batch))
            self.iteration += 1
            is_last, is_stopping = self.iteration == self.total, self._is_stopping()
            if is_last or is_stopping or self.iteration % keeping.log_every == 0:
                seconds = time.perf_counter() - clock
                self._report((self.iteration - since) / seconds)
            if is_last or (every and self.iteration % every == 0):
                self._evaluate()
            if is_last or is_stopping or self.iteration % keeping.save_every == 0:
                self._save(LAST)
            if self.iteration == self.total // 2:
                self._save(MIDDLE)
            if is_stopping:
                return is_last
            if not self._losses:  # there was a report: neither an evaluation nor a checkpoint counts as training
                since, clock = self.iteration, time.perf_counter()
        return True

    def resume(self, file: Path) -> None:
        """Go on from a checkpoint; raises CheckpointMismatch and TrainingInvalid."""
        state = checkpoint.load(file)
        checkpoint.compare(self._run, state["run"])
        try:
            self.learner.backbone.load_state_dict(state["backbone"])
            self.learner.loss.load_state_dict(state["loss"])
            self._optimiser.load_state_dict(state["optimiser"])
            self._scaler.load_state_dict(state["scaler"])
            if self._average is not None:
                self._average.load_state_dict(state["averaging"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointMismatch(f"{file} holds weights of another network") from error
        self.iteration, self._best = state["iteration"], state["best"]

    def _step(self, batch: Batch) -> Tensor:
        device, optimiser = self._around.place.device, self._optimiser
        torch.manual_seed(self._seed())  # of dropout and of sampled classes
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * self._config.schedule.rate(self.iteration, self._iterations)
        loss: Tensor = self._joined(
            batch.crops.to(device, non_blocking=True), batch.labels.to(device, non_blocking=True)
        )
        optimiser.zero_grad()
        self._scaler.scale(loss).backward()
        if self._config.optimiser.clip:
            self._scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(self.learner.backbone.parameters(), self._config.optimiser.clip)
        self._scaler.step(optimiser)
        self._scaler.update()
        self.learner.loss.step()
        if self._average is not None:
            self._average.update_parameters(self.learner.backbone)
        return loss.detach()

    def _seed(self) -> int:
        """Return a seed of this iteration's own in this process."""
        drawn = f"{self._config.seed} {self.iteration} {self._plan.process}".encode()
        return int.from_bytes(hashlib.blake2b(drawn, digest_size=8).digest(), "little")

    def _is_stopping(self) -> bool:
        """Say whether to stop here, the same in all processes: none may wait for one that has gone."""
        place = self._around.place
        if place.processes == 1:
            return self._around.is_stopping()
        return self.iteration % _ASKED_EVERY == 0 and place.is_true_anywhere(self._around.is_stopping())

    def _report(self, iterations_per_second: float) -> None:
        loss = self._around.place.mean(torch.stack(self._losses).mean().item())
        self._losses.clear()
        if not math.isfinite(loss):
            raise TrainingDiverged(f"the loss is {loss} at iteration {self.iteration}; try a lower learning rate")
        progress = Progress(
            self.iteration,
            self.total,
            self.iteration / self._iterations,
            loss,
            self._config.schedule.rate(self.iteration - 1, self._iterations),
            iterations_per_second * self._plan.batch * self._plan.processes,
        )
        for watcher in self._around.watchers:
            watcher.stepped(progress)

    def _evaluate(self) -> None:
        """Evaluate in the first process; the others wait in their next step."""
        if not self._around.sets:
            return
        backbone = self._average.module if self._average is not None else self.learner.backbone
        figures = verify_all(backbone, self._around.sets)
        for watcher in self._around.watchers:
            watcher.evaluated(self.iteration, figures)
        if mean_accuracy(figures) > self._best:
            self._best = mean_accuracy(figures)
            self._save(BEST)

    def _save(self, name: str) -> None:
        if self._around.place.is_first:
            checkpoint.save(self._state(), self._around.out / name)

    def _state(self) -> State:
        average = self._average
        return {
            "run": self._run,
            "iteration": self.iteration,
            "best": self._best,
            "classes": list(self._classes),
            "backbone": self.learner.backbone.state_dict(),
            "loss": self.learner.loss.state_dict(),
            "average": None if average is None else average.module.state_dict(),
            "averaging": None if average is None else average.state_dict(),
            "optimiser": self._optimiser.state_dict(),
            "scaler": self._scaler.state_dict(),
        }


def _averaging(learner: Learner, decay: float) -> AveragedModel | None:
    """Return a moving average of the backbone's weights, None without a decay."""
    if not decay:
        return None
    return AveragedModel(learner.backbone, multi_avg_fn=get_ema_multi_avg_fn(decay))
