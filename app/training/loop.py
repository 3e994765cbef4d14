"""The training loop: optimizer steps, with regular reports, evaluations and checkpoints."""

import hashlib
import math
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import torch
from torch import Tensor

from app.errors import CheckpointMismatch, TrainingDiverged
from app.evaluation.values import Advance
from app.training import checkpoint
from app.training.accumulation import accumulate_gradients
from app.training.averaging import MovingAverage
from app.training.callbacks import Callback, TrainingProgress
from app.training.checkpoint import BEST, LAST, MIDDLE, State
from app.training.config import TrainingConfig
from app.training.data.batches import Batch, BatchLoader, BatchSampler
from app.training.data.memory import HostMemory
from app.training.data.source import CropSource, fingerprint
from app.training.distributed import DistributedContext
from app.training.evaluating import CropPairs, mean_accuracy, verify_all
from app.training.learner import Learner, build_learner
from app.training.optimiser import build_optimiser, load_optimiser

if TYPE_CHECKING:
    from app.training.losses.base import OwnClass

_STOP_CHECK_INTERVAL = 10  # iterations; several processes must agree to stop


@contextmanager
def _uncounted(_what: str, _total: int) -> Iterator[Advance]:
    yield lambda _: None


@dataclass(frozen=True, slots=True)
class RunContext:
    """Environment of a run: output folder, processes, callbacks, evaluation sets, and the request to stop.

    `counting` shows the progress of an evaluation: its name and the number of its crops.
    """

    out: Path
    distributed: DistributedContext
    callbacks: Sequence[Callback] = ()
    sets: Sequence[CropPairs] = ()
    is_stopping: Callable[[], bool] = lambda: False
    counting: Callable[[str, int], AbstractContextManager[Advance]] = _uncounted


class Training:
    """A training run. All random draws depend only on the seed and the iteration, so checkpoints hold no generators."""

    def __init__(
        self, config: TrainingConfig, source: CropSource, context: RunContext, learner: Learner | None = None
    ) -> None:
        """Prepare a run, by default with a learner from the seed. Raises TrainingInvalid if photos are too few."""
        distributed, schedule = context.distributed, config.schedule
        self.iteration = 0
        self.learner = (learner or build_learner(config, len(source.classes))).to(distributed.device)
        self._config = config
        self._context = context
        self._source = source
        self._classes = source.classes
        self._parallel = distributed.parallelise(self.learner, is_norm_shared=config.machine.sync_batch_norm)
        self._optimiser = build_optimiser(self.learner, config)
        self._scaler = torch.amp.GradScaler(distributed.device.type, enabled=config.machine.amp == "fp16")
        ema = config.optimiser.ema
        self._average = MovingAverage(self.learner.backbone, ema) if ema else None
        self._sampler = BatchSampler(
            source.labels,
            schedule.batch_size,
            config.seed,
            distributed.rank,
            distributed.world_size,
            per_person=config.data.photos_per_person,
        )
        self._epoch_iterations = self._sampler.iterations
        self._batches = BatchLoader(
            source,
            self._sampler,
            config.data.augmentation,
            workers=config.data.workers,
            max_damaged=config.data.max_damaged,
            memory=HostMemory(distributed.device),
        )
        self._run = {"processes": distributed.world_size, "data": fingerprint(source), **config.resume_settings()}
        self._best = -math.inf
        self._saved: int | None = None  # iteration of the last checkpoint
        self._losses: list[Tensor] = []
        self._own_classes: list[OwnClass] = []

    @property
    def total(self) -> int:
        """Return the number of iterations in the run."""
        return self._config.schedule.total(self._epoch_iterations)

    @property
    def damaged(self) -> dict[str, str]:
        """Return the photos that this process could not read, with the reasons."""
        name = self._source.name
        return {name(index): reason for index, reason in sorted(self._batches.damaged.reasons.items())}

    def run(self) -> bool:
        """Train until the end or a request to stop; return whether the end was reached.

        Raises TrainingDiverged if the loss or a weight is not finite, PhotosDamaged if too many photos cannot be read,
        and StorageNotWritable if a checkpoint cannot be written. The last checkpoint then stays as it was.
        """
        keeping, every = self._config.keeping, self._config.evaluation.every
        self.learner.train()
        first, started = self.iteration, time.perf_counter()
        for batch in self._batches.batches(self.iteration, self.total):
            self._losses.append(self.step(batch))
            if self.learner.loss.own_class is not None:
                self._own_classes.append(self.learner.loss.own_class)
            self.iteration += 1
            is_last, is_stopping = self.iteration == self.total, self._is_stopping()
            if is_last or is_stopping or self.iteration % keeping.log_every == 0:
                seconds = time.perf_counter() - started
                self._report((self.iteration - first) / seconds)
            if is_last or (every and self.iteration % every == 0):
                self._evaluate()
            if is_last or is_stopping or self.iteration % keeping.save_every == 0:
                self._save(LAST)
            if self.iteration == self.total // 2:
                self._save(MIDDLE)
            if is_stopping:
                return is_last
            if not self._losses:  # just reported: evaluations and checkpoints do not count as training time
                first, started = self.iteration, time.perf_counter()
        return True

    def resume(self, file: Path) -> None:
        """Continue from a checkpoint.

        Raises CheckpointMismatch if it is of another run, and TrainingInvalid if it is damaged.
        """
        state = checkpoint.load(file)
        checkpoint.check_same_run(self._run, state["run"])
        try:
            self.learner.backbone.load_state_dict(state["backbone"])
            self.learner.loss.load_state_dict(state["loss"])
            load_optimiser(self._optimiser, state["optimiser"])
            self._scaler.load_state_dict(state["scaler"])
            if self._average is not None:
                self._average.load_state_dict(state["averaging"])
        except (RuntimeError, ValueError, KeyError) as error:
            raise CheckpointMismatch(f"{file} contains the weights of another network") from error
        self.iteration, self._best, self._saved = state["iteration"], state["best"], state["iteration"]

    def step(self, batch: Batch) -> Tensor:
        """Train on a batch as the next iteration, without counting it; return the mean loss, on the device.

        The host does not wait for a GPU, except with the loss triplet, another package's optimizer and SyncBatchNorm.
        """
        device, optimiser = self._context.distributed.device, self._optimiser
        torch.manual_seed(self._seed())  # for dropout and sampled classes
        for group in optimiser.param_groups:
            group["lr"] = group["share"] * self._config.schedule.rate(self.iteration, self._epoch_iterations)
        optimiser.zero_grad()
        parts = self._config.machine.accumulation
        loss = accumulate_gradients(self._parallel, batch, device=device, scaler=self._scaler, parts=parts)
        if self._config.optimiser.clip:
            self._scaler.unscale_(optimiser)
            torch.nn.utils.clip_grad_norm_(self.learner.backbone.parameters(), self._config.optimiser.clip)
        self._scaler.step(optimiser)
        self._scaler.update()
        self.learner.loss.step()
        if self._average is not None:
            self._average.update_parameters(self.learner.backbone)
        return loss

    def _seed(self) -> int:
        """Return the seed of this iteration in this process."""
        text = f"{self._config.seed} {self.iteration} {self._sampler.rank}".encode()
        return int.from_bytes(hashlib.blake2b(text, digest_size=8).digest(), "little")

    def _is_stopping(self) -> bool:
        """Return whether to stop; all processes agree, since none may wait for a process that has exited."""
        distributed = self._context.distributed
        if distributed.world_size == 1:
            return self._context.is_stopping()
        return self.iteration % _STOP_CHECK_INTERVAL == 0 and distributed.is_true_anywhere(self._context.is_stopping())

    def _report(self, iterations_per_second: float) -> None:
        loss = self._context.distributed.mean(torch.stack(self._losses).mean().item())
        self._losses.clear()
        if not math.isfinite(loss):
            raise self._diverged(f"the loss is {loss}")
        progress = TrainingProgress(
            self.iteration,
            self.total,
            self.iteration / self._epoch_iterations,
            loss,
            self._config.schedule.rate(self.iteration - 1, self._epoch_iterations),
            iterations_per_second * self._sampler.batch_size * self._sampler.world_size,
            (self.total - self.iteration) / iterations_per_second,
            self._best if math.isfinite(self._best) else None,
            len(self._batches.damaged.reasons),
            *self._own_class(),
        )
        for callback in self._context.callbacks:
            callback.on_step(progress)

    def _own_class(self) -> tuple[float, float] | tuple[()]:
        """Return the mean angle in degrees and the mean target logit since the last report, in this process."""
        observed, self._own_classes = self._own_classes, []
        if not observed:
            return ()
        theta = torch.stack([each.theta for each in observed]).mean().item()
        return math.degrees(theta), torch.stack([each.target_logit for each in observed]).mean().item()

    def _evaluate(self) -> None:
        """Evaluate in the main process; the others wait in their next step."""
        if not self._context.sets:
            return
        backbone = self._average.module if self._average is not None else self.learner.backbone
        with self._context.counting("evaluating", sum(len(pairs.crops) for pairs in self._context.sets)) as advance:
            figures = verify_all(backbone, self._context.sets, advance)
        for callback in self._context.callbacks:
            callback.on_evaluation(self.iteration, figures)
        if mean_accuracy(figures) > self._best:
            self._best = mean_accuracy(figures)
            self._save(BEST)

    def _save(self, name: str) -> None:
        """Write a checkpoint in the main process, unless a weight is no longer a number."""
        are_finite = torch.stack([parameter.isfinite().all() for parameter in self.learner.parameters()])
        if not are_finite.all():
            raise self._diverged("the weights are no longer numbers")
        if self._context.distributed.is_main:
            checkpoint.save(self._state(), self._context.out / name)
        if name == LAST:
            self._saved = self.iteration

    def _diverged(self, problem: str) -> TrainingDiverged:
        """Return the error, with what to lower and which checkpoint is left."""
        config = self._config
        lower = f"schedule.learning_rate ({config.schedule.learning_rate:g})"
        if config.loss.name not in {"softmax", "triplet"}:
            lower += ", loss.scale or loss.margin"
        half = ", or set machine.amp = bf16 or off" if config.machine.amp == "fp16" else ""
        kept = "no checkpoint was written" if self._saved is None else f"{LAST} is kept from iteration {self._saved}"
        return TrainingDiverged(
            f"{problem} at iteration {self.iteration}; lower {lower}{half}, or raise schedule.warm_up, "
            f"in another --out; {kept}"
        )

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
