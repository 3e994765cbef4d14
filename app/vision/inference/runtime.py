"""ONNX Runtime: the execution provider, which is chosen explicitly, and the session options."""

from dataclasses import dataclass
from functools import cache
from pathlib import Path

import numpy as np
import onnxruntime as ort
from onnxruntime.capi import onnxruntime_pybind11_state as ort_state

from app.errors import NetworkInvalid, ProviderUnavailable
from app.types import Provider

# ONNX Runtime's providers, best first. It runs nodes that the first one does not support on the next.
_ORT_PROVIDERS = {
    Provider.CPU: ["CPUExecutionProvider"],
    Provider.CUDA: ["CUDAExecutionProvider", "CPUExecutionProvider"],
    Provider.TENSORRT: ["TensorrtExecutionProvider", "CUDAExecutionProvider", "CPUExecutionProvider"],
    Provider.OPENVINO: ["OpenVINOExecutionProvider", "CPUExecutionProvider"],
    Provider.COREML: ["CoreMLExecutionProvider", "CPUExecutionProvider"],
}
_NVIDIA = (Provider.TENSORRT, Provider.CUDA)
_LOAD_ERRORS = (
    ort_state.Fail,
    ort_state.InvalidArgument,
    ort_state.InvalidGraph,
    ort_state.InvalidProtobuf,
    ort_state.NoSuchFile,
    ort_state.NotImplemented,
    ort_state.RuntimeException,
)

# ONNX Runtime's own values: no limit, chunks of powers of two, and the usual sizes (-1).
_ARENA = {"max_mem": 0, "arena_extend_strategy": 0, "initial_chunk_size_bytes": -1, "max_dead_bytes_per_chunk": -1}

# The smallest network, x -> x. It is opened to check whether a provider works on this machine.
_IDENTITY = bytes.fromhex(
    "080812003a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801620f0a0179120a0a08080112040a02080142040a001011"
)

# A product of matrices, of uint8 (m, k) and int8 (k, n).
_PRODUCT = bytes.fromhex(
    "08083a98010a340a01610a01620a01730a017412017922144d61744d756c496e7465676572546f466c6f61743a0d636f6d2e6d6963726f73"
    "6f66741201705a150a016112100a0e0802120a0a0312016d0a0312016b5a150a016212100a0e0803120a0a0312016b0a0312016e5a0b0a01"
    "7312060a04080112005a0b0a017412060a040801120062150a017912100a0e0801120a0a0312016d0a0312016e42040a00101142110a0d63"
    "6f6d2e6d6963726f736f66741001"
)


@dataclass(frozen=True, slots=True)
class Runtime:
    """A resolved provider (never `auto`) and the number of threads of a network run."""

    provider: Provider = Provider.CPU
    threads: int = 1

    def open(self, network: Path | bytes, name: str = "") -> ort.InferenceSession:
        """Open a network on exactly this provider; `name` (default: the file's) is used in errors.

        Raises NetworkInvalid if the file is not a network, ProviderUnavailable if ONNX Runtime fell back to another
        provider.
        """
        ort.disable_telemetry_events()  # it would report the networks that are opened
        options = ort.SessionOptions()
        options.intra_op_num_threads = self.threads
        options.inter_op_num_threads = 1
        options.log_severity_level = 3
        # A thread that spins while it waits would take a core from another request.
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        if saturates():  # this computes the same sums without overflow, more slowly
            options.add_session_config_entry("session.x64quantprecision", "1")
        if self.provider is Provider.CPU:
            _share_arena()
            options.add_session_config_entry("session.use_env_allocators", "1")
        wanted = _ORT_PROVIDERS[self.provider]
        name = name or (network.name if isinstance(network, Path) else "the network")
        try:
            session = ort.InferenceSession(
                network, sess_options=options, providers=wanted, provider_options=self._provider_options()
            )
        except _LOAD_ERRORS as error:
            raise NetworkInvalid(f"ONNX Runtime cannot load {name}: {error}") from error
        got: str = session.get_providers()[0]
        if got != wanted[0]:
            raise ProviderUnavailable(f"{self.provider} was requested, but ONNX Runtime can only use {got} here")
        session.disable_fallback()
        return session

    def shrinking(self) -> ort.RunOptions | None:
        """Return options of a run that also frees the unused memory of the arena; None if it is not the CPU's."""
        if self.provider is not Provider.CPU:
            return None
        options = ort.RunOptions()
        options.add_run_config_entry("memory.enable_memory_arena_shrinkage", "cpu:0")
        return options

    def _provider_options(self) -> list[dict[str, str]]:
        options: list[dict[str, str]] = [{} for _ in _ORT_PROVIDERS[self.provider]]
        if self.provider is Provider.OPENVINO:  # it ignores the threads of the session
            options[0] = {"device_type": "CPU", "num_of_threads": str(self.threads)}
        return options


def usable_providers() -> list[Provider]:
    """Return the providers that can open a network on this machine, best first."""
    candidates = (*_NVIDIA, Provider.OPENVINO, Provider.COREML, Provider.CPU)
    return [provider for provider in candidates if _works(provider)]


def resolve(provider: Provider, threads: int) -> Runtime:
    """Return the runtime for a setting: `auto` is CUDA if it works here, else the CPU.

    `auto` never selects TensorRT, which compiles each network for minutes, nor OpenVINO or Core ML, whose speed depends
    on the network and the machine. Raises ProviderUnavailable if a provider that is named does not work here.
    """
    if provider is Provider.AUTO:
        return Runtime(Provider.CUDA if _works(Provider.CUDA) else Provider.CPU, threads)
    if not _works(provider):
        raise ProviderUnavailable(
            f"{provider} was requested, but it does not work on this machine; "
            f"usable: {', '.join(usable_providers())} (`arcid doctor` shows more)"
        )
    return Runtime(provider, threads)


def runtime_version() -> str:
    """Return the version of ONNX Runtime."""
    return str(ort.__version__)


@cache
def saturates() -> bool:
    """Return whether sums of products of uint8 and int8 overflow 16 bits: on x86 CPUs without VNNI."""
    session = ort.InferenceSession(_PRODUCT, providers=_ORT_PROVIDERS[Provider.CPU])
    factors = np.full((4, 64), 255, np.uint8), np.full((64, 16), 127, np.int8)
    scales = {"s": np.array(1, np.float32), "t": np.array(1, np.float32)}
    (sums,) = session.run(None, {"a": factors[0], "b": factors[1], **scales})
    return bool((np.asarray(sums) != 64 * 255 * 127).any())


@cache
def _share_arena() -> None:
    """Let all sessions on the CPU allocate from one arena. Otherwise each keeps the memory of its largest run."""
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(_ARENA))


def _works(provider: Provider) -> bool:
    if _ORT_PROVIDERS[provider][0] not in ort.get_available_providers():
        return False
    if provider in _NVIDIA:
        ort.preload_dlls()  # CUDA and cuDNN from the nvidia-* packages
    try:
        Runtime(provider).open(_IDENTITY)
    except (ProviderUnavailable, NetworkInvalid):
        return False
    return True
