"""Texts about the CPU time of packs in int8, for `arcid models` and `arcid doctor`."""

from collections.abc import Collection

from app.cli.output import Console
from app.config import Settings
from app.errors import NetworkError
from app.types import Provider
from app.vision.inference.pack_speed import PackPair, SpeedRecord, SpeedRecords, measure, pack_pairs, processor
from app.vision.inference.packs import Packs
from app.vision.inference.runtime import resolve, runtime_version

_AGAIN = "arcid models measure"


def is_on_cpu(settings: Settings) -> bool:
    """Return whether networks run on the CPU by ONNX Runtime's own provider: int8 saves no time elsewhere."""
    wanted = settings.inference.provider
    return wanted is Provider.CPU or (wanted is Provider.AUTO and resolve(wanted, 1).provider is Provider.CPU)


def measure_pulled(packs: Packs, records: SpeedRecords, names: Collection[str], console: Console) -> None:
    """Measure the pairs of packs that were just pulled, and print the results, or why one is missing."""
    try:
        for pair in pack_pairs(packs):
            float32, int8 = pair.float32.manifest, pair.int8.manifest
            if not {float32.name, int8.name} & set(names):
                continue
            line = f"CPU time of {int8.name} not measured, because {float32.name} is not pulled"
            if packs.has(float32):
                line = measured(packs, records, pair, console)
            console.print(line, highlight=False, soft_wrap=True)
    except (NetworkError, OSError) as error:  # the packs are pulled nevertheless
        console.print(f"CPU time in int8 not measured: {error}", highlight=False, soft_wrap=True)


def measured(packs: Packs, records: SpeedRecords, pair: PackPair, console: Console) -> str:
    """Measure a pair, store the result, and return its text.

    Raises the errors of `measure`, and OSError if the result cannot be stored.
    """
    with console.status(f"measuring {pair.int8.manifest.name} ..."):
        record = measure(packs, pair)
    records.write(pair, record)
    return comparison(pair, record)


def comparison(pair: PackPair, record: SpeedRecord) -> str:
    """Return the text of a result: CPU time, accuracy, and the pack for new collections."""
    float32, int8 = pair.float32.manifest.name, pair.int8.manifest.name
    parts = [f"{int8} takes {record.ratio:.2f} of {float32}'s CPU time for an embedding"]
    if pair.accuracies is not None:
        float32_tmr, int8_tmr = (each.tmr for each in pair.accuracies)
        rates = (f"at FMR {fmr} {int8_tmr[fmr]:.2%} instead of {float32_tmr[fmr]:.2%}" for fmr in float32_tmr)
        parts.append(f"TMR {', '.join(rates)}")
    is_int8 = record.recommended(pair) is pair.int8
    choice = f"{int8}; existing collections of {float32} also need ARCID_PACKS={float32}" if is_int8 else float32
    return "; ".join([*parts, f"for new collections: ARCID_PACK={choice}"])


def stored(packs: Packs, records: SpeedRecords, pair: PackPair) -> str:
    """Return the text of a pair's last result; if it is missing or outdated, with the command that measures."""
    record = records.read(pair)
    if record is None:
        command = _AGAIN if packs.has(pair.float32.manifest) else f"arcid models pull {pair.float32.manifest.name}"
        return f"CPU time of {pair.int8.manifest.name} not measured on this machine; run: {command}"
    line = f"{comparison(pair, record)} ({record.processor}, onnxruntime {record.onnxruntime}, {record.date})"
    if record.is_current:
        return line
    return f"{line}; this is {processor()} with onnxruntime {runtime_version()}: measure again with {_AGAIN}"
