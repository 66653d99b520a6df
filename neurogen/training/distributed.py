"""Several processes that train one model, as torchrun starts them: one leads, all share gradients and statistics.

Each process takes its share of the global batch; gradients are averaged before the optimiser's step, so that all keep
equal weights. Process 0 alone writes: checkpoints, figures, pictures, the model folder. Without torchrun's environment
every function here does nothing. Numbers on CUDA travel by nccl; flags and whatever lies on the CPU by gloo, so that a
step never waits for the GPU.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import torch
import torch.distributed as dist
from torch import Tensor, nn

from neurogen.processes import averaged, rank, together, world
from neurogen.training.errors import TrainingError

__all__ = [
    "any_process",
    "average_gradients",
    "check_equal",
    "leader_first",
    "leader_says",
    "processes",
    "rank",
    "share_state",
    "world",
]

ALONE = 1
NEEDED = ("WORLD_SIZE", "RANK", "MASTER_ADDR", "MASTER_PORT")
JOINING = timedelta(minutes=5)  # for all to start
WAITING = timedelta(minutes=10)  # for the slowest, within a step
PREPARING = timedelta(days=2)  # for the one that prepares data
LOST = ("connection closed", "connection reset", "broken pipe", "timed out", "timeout", "socket", "nccl", "gloo")
_patient: list[dist.ProcessGroup] = []  # the group that waits for who prepares, while processes are together


@contextmanager
def processes(device: torch.device) -> Iterator[torch.device]:
    """Join the processes that torchrun started, while the block runs; yields this process's own device.

    Raises TrainingError where they cannot be joined, and where one of them is lost.
    """
    if together() or _started() == ALONE:
        yield device
        return
    device = _own_device(device)
    _join("cpu:gloo,cuda:nccl" if device.type == "cuda" else "gloo")
    try:
        yield device
    except (RuntimeError, dist.DistError) as error:
        said = " ".join(str(error).split())
        if isinstance(error, TrainingError) or not any(word in said.lower() for word in LOST):
            raise
        raise TrainingError(
            f"expected {world()} processes to the end, process {rank()} lost another one ({said[:120]}); what that one "
            "said tells why, go on with --resume"
        ) from error
    finally:
        _patient.clear()
        dist.destroy_process_group()


def _started() -> int:
    """How many processes the environment tells of; raises TrainingError where it tells half of it."""
    if "WORLD_SIZE" not in os.environ:
        return ALONE
    given = {name: os.environ.get(name, "") for name in NEEDED}
    for name in ("WORLD_SIZE", "RANK", "MASTER_PORT"):
        if given["WORLD_SIZE"] != str(ALONE) and not given[name].isdecimal():
            raise TrainingError(
                f"expected torchrun's {', '.join(NEEDED)} together, {name} is {given[name] or 'not set'}; start with "
                "torchrun --nproc-per-node N -m neurogen ..., or unset WORLD_SIZE"
            )
    number, count = int(given["RANK"] or 0), int(given["WORLD_SIZE"])
    if count > ALONE and not given["MASTER_ADDR"]:
        raise TrainingError("expected torchrun's MASTER_ADDR beside WORLD_SIZE, it is not set; start with torchrun")
    if number >= count:
        raise TrainingError(f"expected RANK below WORLD_SIZE={count}, got {number}; start with torchrun")
    return count


def _own_device(device: torch.device) -> torch.device:
    """This process's device; raises TrainingError where there are too few, or one is named for all."""
    if device.type == "cpu":
        return device
    if device.type != "cuda" or device.index is not None:
        raise TrainingError(f"expected device=auto, cuda or cpu for several processes, got {device}; set one of these")
    local, here = int(os.environ.get("LOCAL_RANK", 0)), torch.cuda.device_count()
    if local >= here:
        wanted = os.environ.get("LOCAL_WORLD_SIZE", local + 1)
        raise TrainingError(
            f"expected a GPU for each of {wanted} processes on this machine, it has {here}; start {here} or set "
            "device=cpu"
        )
    device = torch.device("cuda", local)
    torch.cuda.set_device(device)
    return device


def _join(backend: str) -> None:
    number, count = int(os.environ["RANK"]), int(os.environ["WORLD_SIZE"])
    place = f"{os.environ['MASTER_ADDR']}:{os.environ['MASTER_PORT']}"
    try:
        store, number, count = next(dist.rendezvous("env://", timeout=JOINING))
        dist.init_process_group(backend, store=store, rank=number, world_size=count, timeout=WAITING)
        _patient[:] = [dist.new_group(backend="gloo", timeout=PREPARING)]
    except (RuntimeError, ValueError, dist.DistError) as error:  # among them: the port is in use, nobody is there
        if dist.is_initialized():
            dist.destroy_process_group()
        said = " ".join(str(error).split())
        taken = "EADDRINUSE" in said or "address already in use" in said
        reason = "the port is in use; take another MASTER_PORT" if taken else f"{said[:160]}; start all of them anew"
        raise TrainingError(
            f"expected to join {count} processes at {place} as number {number}, it failed: {reason}"
        ) from error


@contextmanager
def leader_first() -> Iterator[None]:
    """The block runs in process 0, then in all others: what the first one prepares on disk, the others find.

    Where it fails in process 0, which says why, the others end without a word (SystemExit 2).
    """
    if not together():
        yield
        return
    if not rank():
        with _telling():
            yield
        return
    _heard()
    yield


def leader_says(decide: Callable[[], bool]) -> bool:
    """What process 0 decides; where that fails, the others end as in `leader_first`."""
    if not together():
        return decide()
    if rank():
        return _heard() == 1
    answer = [False]
    with _telling(answer):
        answer[0] = decide()
    return answer[0]


@contextmanager
def _telling(answer: list[bool] | None = None) -> Iterator[None]:
    """Tell the others how the block ended: 0 or 1 by the answer, 2 where it failed."""
    word = 2
    try:
        yield
        word = int(bool(answer and answer[0]))
    finally:
        dist.broadcast(torch.tensor(word), 0, group=_patient[0])


def _heard() -> int:
    word = torch.tensor(0)
    dist.broadcast(word, 0, group=_patient[0])
    if int(word) == 2:
        raise SystemExit(2)
    return int(word)


def average_gradients(module: nn.Module) -> None:
    """Replace the module's gradients by their mean over the processes, in one exchange."""
    if not together():
        return
    gradients = [parameter.grad for parameter in module.parameters() if parameter.grad is not None]
    flat = averaged(torch.cat([gradient.flatten() for gradient in gradients]))
    for gradient, mean in zip(gradients, flat.split([g.numel() for g in gradients]), strict=True):
        gradient.copy_(mean.view_as(gradient))


def share_state(tensors: Iterator[Tensor]) -> None:
    """Give all processes the tensors of process 0."""
    if together():
        for tensor in tensors:
            dist.broadcast(tensor.detach(), 0)


def check_equal(value: int, what: str, advice: str) -> None:
    """Raises TrainingError, in every process, where they do not have the same value."""
    if not together():
        return
    ends = torch.tensor([value, -value])
    dist.all_reduce(ends, dist.ReduceOp.MAX)
    if ends[0] != -ends[1]:
        raise TrainingError(
            f"expected {what} to be the same in all processes, got {-int(ends[1])} to {int(ends[0])}; {advice}"
        )


def any_process(*flags: bool) -> tuple[bool, ...]:
    """Whether each flag is set in any process, so that all do the same after the same step."""
    if not together():
        return flags
    seen = torch.tensor(flags, dtype=torch.uint8)
    dist.all_reduce(seen, dist.ReduceOp.MAX)
    return tuple(bool(flag) for flag in seen)
