"""Device, precision and out-of-memory errors."""

import os

import torch

from credence.core.errors import InputError
from credence.models.training.settings import Training

DTYPES = {"bf16": torch.bfloat16, "fp16": torch.float16}


def chosen_device(settings: Training) -> torch.device:
    """Return the device of this process: the CPU, or the GPU number LOCAL_RANK.

    Raises:
        InputError: `device: cuda` without a GPU, or more processes than GPUs.
    """
    if settings.device == "cpu" or (settings.device == "auto" and not torch.cuda.is_available()):
        return torch.device("cpu")
    if not torch.cuda.is_available():
        built = f"is built for CUDA {torch.version.cuda}" if torch.version.cuda else "is built without CUDA"
        raise InputError(
            f"device: cuda was asked for, and torch {torch.__version__}, which {built}, sees no GPU; "
            "set device: auto or cpu, or run this where a GPU is."
        )
    number, gpus = int(os.environ.get("LOCAL_RANK", "0")), torch.cuda.device_count()
    if number >= gpus:
        raise InputError(
            f"process {number + 1} on this machine needs a GPU, and there are {gpus}; start {gpus} processes."
        )
    return torch.device("cuda", number)


def chosen_precision(settings: Training, device: torch.device) -> str:
    """Return fp32, bf16 or fp16. `auto` is the fastest that the device has in hardware, and fp32 on a CPU."""
    if settings.precision != "auto":
        return settings.precision
    if device.type == "cpu":
        return "fp32"
    return "bf16" if torch.cuda.is_bf16_supported(including_emulation=False) else "fp16"


def autocast(device: torch.device, precision: str) -> torch.autocast:
    """Return a context with matrix products in this precision and sums in fp32."""
    return torch.autocast(device.type, DTYPES.get(precision), enabled=precision in DTYPES)


def ran_out_of_memory(error: BaseException) -> bool:
    """Return whether an exception means that the device or the machine is out of memory."""
    unallocated = isinstance(error, RuntimeError) and "can't allocate memory" in str(error)
    return unallocated or isinstance(error, (torch.OutOfMemoryError, MemoryError))


def release_memory(device: torch.device) -> None:
    """Free the device memory that a failed attempt left cached."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
