"""Building a module for weights that are about to be loaded: without initialising, within a budget.

Initialising costs most of the time of a naive load, and all of it is overwritten. The meta device
would avoid it, too, but takes a second once per process and fails for networks that read a tensor
while they are built. Here parameters are allocated and left unwritten, which costs no memory until
they are replaced; buffers are computed as always, since some of them are in no file.

The arguments of a manifest come from a stranger, so what the constructor may allocate is bounded by
the size of the weights that it is for.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

import torch
from torch import Tensor, nn
from torch.overrides import TorchFunctionMode

_FROM_SIZE: frozenset[object] = frozenset(
    {torch.empty, torch.zeros, torch.ones, torch.rand, torch.randn, torch.full, torch.eye}
)
_FROM_NUMBERS: frozenset[object] = frozenset({torch.arange, torch.linspace, torch.logspace})
_FROM_TENSOR_AND_SIZE: frozenset[object] = frozenset(
    {Tensor.new_empty, Tensor.new_zeros, Tensor.new_ones, Tensor.new_full}
)
_REPEATING: frozenset[object] = frozenset({Tensor.repeat, Tensor.tile, torch.tile})
_WRITING = frozenset(
    f"{verb}_"
    for verb in (
        "uniform",
        "normal",
        "fill",
        "zero",
        "copy",
        "erfinv",
        "mul",
        "add",
        "sub",
        "div",
        "clamp",
        "random",
        "bernoulli",
        "exponential",
        "log_normal",
    )
)
_LARGEST_ELEMENT = 8  # bytes


class AllocationError(ValueError):
    """A constructor asked for more memory than the weights of its manifest can fill."""


class Construction(TorchFunctionMode):
    """While it is entered, torch builds modules within `budget` bytes.

    initialise: write initial values, as for layers that are in no file. Otherwise whatever would
        write a Parameter is skipped: each of them must be replaced before it is read.

    It holds for the thread that entered it, unlike replacing functions of `torch.nn.init`.
    """

    def __init__(self, budget: float, *, initialise: bool) -> None:
        """Set the budget in bytes; `math.inf` for arguments that can be trusted."""
        super().__init__()
        self.left = budget
        self.largest = budget
        self.initialise = initialise

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],  # the signature is torch's
        args: Sequence[Any] = (),
        kwargs: Mapping[str, Any] | None = None,
    ) -> Any:
        """Account for `func`, then run it, unless all it does is to initialise a parameter."""
        named = kwargs or {}
        if not self.initialise:
            target = named.get("tensor", args[0] if args else None)
            if isinstance(target, nn.Parameter) and _initialises(func):
                return target
        self._spend(func, args, named)
        return func(*args, **named)

    def _spend(self, func: Callable[..., Any], args: Sequence[Any], named: Mapping[str, Any]) -> None:
        size = 0.0
        if func in _FROM_SIZE:
            size = _product(_numbers([*args, named.get("size", ())])[: 2 if func is torch.eye else None])
        elif func in _FROM_NUMBERS:
            size = max([abs(number) for number in _numbers([*args, *named.values()])], default=0)
        elif func in _FROM_TENSOR_AND_SIZE:
            size = _product(_numbers(args[1:]))
        elif func in _REPEATING:
            size = args[0].numel() * _product(_numbers(args[1:]))
        else:
            self._demand_room(func, _broadcast([arg for arg in args if isinstance(arg, Tensor)]))
            return
        dtype = named.get("dtype") or torch.get_default_dtype()
        self._demand_room(func, size * dtype.itemsize)
        self.left -= size * dtype.itemsize
        if self.left < 0:
            self._refuse(func, self.largest - self.left)

    def _demand_room(self, func: Callable[..., Any], size: float) -> None:
        if size > self.largest:
            self._refuse(func, size)

    def _refuse(self, func: Callable[..., Any], size: float) -> None:
        raise AllocationError(
            f"the arguments ask for {size / 2**20:,.0f} MiB or more (`{getattr(func, '__name__', func)}`), "
            f"but the weights beside them justify at most {self.largest / 2**20:,.0f} MiB"
        )


def _initialises(func: Callable[..., Any]) -> bool:
    return getattr(func, "__module__", "") == "torch.nn.init" or getattr(func, "__name__", "") in _WRITING


def _numbers(values: Sequence[Any]) -> list[float]:
    """Return the numbers in arguments that are given one by one or as one sequence."""
    found: list[float] = []
    for value in values:
        if isinstance(value, (list, tuple)):
            found.extend(_numbers(cast("Sequence[Any]", value)))
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            found.append(value)
    return found


def _product(numbers: Sequence[float]) -> float:
    return math.prod([float(max(number, 0)) for number in numbers]) if numbers else 0.0


def _broadcast(tensors: Sequence[Tensor]) -> float:
    """Return the bytes of an element-wise result of several tensors; 0 when they do not broadcast."""
    if len(tensors) < 2:
        return 0.0
    try:
        shape = torch.broadcast_shapes(*(tensor.shape for tensor in tensors))
    except RuntimeError:
        return 0.0
    return math.prod([float(size) for size in shape]) * _LARGEST_ELEMENT
