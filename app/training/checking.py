"""`arcid train --check`: read all photos of a run and report problems, without training."""

from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from rich.console import Console
from rich.text import Text

from app.errors import EvaluationInvalid, TrainingError
from app.observability.progress_line import Count, ProgressLine
from app.training.config import TrainingConfig
from app.training.data.batches import BatchSampler
from app.training.data.damage import allowed_damaged
from app.training.data.opening import OpenCropper, open_data
from app.training.data.source import CropSource
from app.training.distillation.unlabelled import open_unlabelled
from app.training.distributed import distributed_context
from app.training.evaluating import read_crop_pairs
from app.training.preflight import check_config, computes_bf16, warnings_of
from app.training.run_folder import make_run_folder


def check(config: TrainingConfig, out: Path | None, *, open_cropper: OpenCropper, console: Console) -> bool:
    """Read every photo of a run and of its verification sets; print what was found. Return whether the run can start.

    Raises TrainingError's children if the check cannot continue.
    """
    check_config(config)
    if out is not None:
        make_run_folder(out)
    line = ProgressLine(console)
    with distributed_context(config.machine) as distributed:
        has_bf16, processes = computes_bf16(distributed.device), distributed.world_size
    data = config.data.model_copy(update={"memory_gb": 0})
    with line.counting("photos") as advance:
        open_source = open_data if config.teacher is None else open_unlabelled
        dataset = open_source(data, open_cropper, advance)
    source = dataset.source
    with line.counting("reading photos", len(source.labels)) as advance:
        damaged = {**dataset.damaged, **find_damaged(source, config.data.workers, advance)}
    allowed = allowed_damaged(dataset.photos, data.max_damaged)
    problems = [*_problems(config, source), *_set_problems(config, open_cropper, line)]
    texts = [*_report(source, damaged, dataset.failures, allowed)]
    warnings = [*dataset.warnings, *warnings_of(config, source.labels, has_bf16=has_bf16, processes=processes)]
    texts += [f"warning: {text}" for text in warnings] + problems
    is_ready = not problems and len(damaged) <= allowed
    for text in [*texts, "the run can start" if is_ready else "the run cannot start"]:
        console.print(Text(text), highlight=False, soft_wrap=True)
    return is_ready


def find_damaged(source: CropSource, workers: int, advance: Count = lambda _: None) -> dict[str, str]:
    """Read all crops; return the names of those that cannot be read, with the reasons."""

    def reason(index: int) -> str | None:
        try:
            source.crop(index)
        except TrainingError as error:
            return str(error)
        finally:
            advance(1)
        return None

    with ThreadPoolExecutor(workers) as pool:
        reasons = pool.map(reason, range(len(source.labels)))
        return {source.name(index): text for index, text in enumerate(reasons) if text is not None}


def _report(source: CropSource, damaged: Mapping[str, str], failures: Mapping[str, str], allowed: int) -> Iterator[str]:
    """Yield sentences on the photos; `failures` maps those without a face to their error code."""
    yield f"{len(source.labels):,} photos of {len(source.classes):,} people"
    yield from (f"{name}: {code}" for name, code in failures.items())
    if failures:
        yield f"photos that have no face and are left out: {len(failures):,}"
    yield from damaged.values()
    if damaged:
        yield f"photos that cannot be read: {len(damaged):,}; data.max_damaged allows {allowed:,}"


def _problems(config: TrainingConfig, source: CropSource) -> list[str]:
    sampler = BatchSampler(source.labels, config.schedule.batch_size, per_person=config.data.photos_per_person)
    try:
        _ = sampler.iterations
    except TrainingError as error:
        return [str(error)]
    return []


def _set_problems(config: TrainingConfig, open_cropper: OpenCropper, line: ProgressLine) -> list[str]:
    problems = []
    for pairs in config.evaluation.sets:
        try:
            with line.counting(f"photos of {pairs.name}") as advance:
                read_crop_pairs(pairs, None if pairs.aligned else open_cropper(), advance)
        except (TrainingError, EvaluationInvalid) as error:
            problems.append(f"the verification set {pairs.name}: {error}")
    return problems
