import pytest

from app.cli.gpu_advice import GpuFacts, gpu_advice

VERSION = (
    "NVRM version: NVIDIA UNIX x86_64 Kernel Module  580.65.06  Sun Jul 27 06:54:38 UTC 2025\nGCC version: 13.3.0\n"
)


@pytest.mark.parametrize(
    ("facts", "advice"),
    [
        (GpuFacts(None, has_device=False), "no NVIDIA driver is loaded; install version 580"),
        (
            GpuFacts("535.183.01", has_device=True, wheels=["onnxruntime-gpu"]),
            "the NVIDIA driver is version 535.183.01",
        ),
        (GpuFacts("580.65.06", has_device=False, wheels=["onnxruntime-gpu"]), "docker run --gpus all"),
        (GpuFacts("580.65.06", has_device=True, wheels=["onnxruntime"]), "(onnxruntime); run: make serve EXTRA=gpu"),
        (GpuFacts("580.65.06", has_device=True, wheels=["onnxruntime-gpu"]), "CUDA does not start"),
    ],
)
def test_advice_names_the_first_thing_to_repair(facts, advice):
    assert advice in gpu_advice(facts)


def test_facts_of_a_machine_with_a_gpu(tmp_path):
    (tmp_path / "proc" / "driver" / "nvidia").mkdir(parents=True)
    (tmp_path / "proc" / "driver" / "nvidia" / "version").write_text(VERSION)
    (tmp_path / "dev").mkdir()
    (tmp_path / "dev" / "nvidiactl").touch()
    assert GpuFacts.read([], tmp_path) == GpuFacts("580.65.06", has_device=False, wheels=[])
    (tmp_path / "dev" / "nvidia0").touch()
    assert GpuFacts.read([], tmp_path).has_device


def test_facts_of_a_machine_without_one(tmp_path):
    assert GpuFacts.read([], tmp_path) == GpuFacts(None, has_device=False, wheels=[])
