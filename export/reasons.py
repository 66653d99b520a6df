"""Why a chip cannot do what a function of torch does, and what to use instead."""

from __future__ import annotations

from torch import nn

_REAL = "it makes real values, and only spikes pass between a chip's layers"
_BEFORE = "leave it out, or keep it after the last layer for the host"
_NORM = "it divides by the spread of the present values, which no neuron knows"
_REASONS = {
    **dict.fromkeys(
        ("stack", "__setitem__"),
        (
            "a chip's weights are the same at every step (batch norm per step has numbers of its own)",
            "use one batch norm for all steps",
        ),
    ),
    "pad": ("it pads with something other than zeros", "use padding_mode='zeros'"),
    "dropout": ("it drops at random in eval mode too", "use nn.Dropout, or pass training=self.training"),
    **dict.fromkeys(
        ("group_norm", "layer_norm", "instance_norm", "local_response_norm", "rms_norm"),
        (_NORM, "use batch norm, which folds into the weights"),
    ),
    **dict.fromkeys(
        (
            "matmul",
            "__matmul__",
            "__rmatmul__",
            "bmm",
            "baddbmm",
            "einsum",
            "scaled_dot_product_attention",
            "multi_head_attention_forward",
        ),
        (
            "it multiplies activations by activations (attention), and a chip's weights do not change",
            "use convolutions or dense layers",
        ),
    ),
    **dict.fromkeys(
        ("mul", "__mul__", "__rmul__", "__imul__", "multiply", "addcmul"),
        (
            "it multiplies activations by activations, and a chip's layers pass on only spikes",
            "use the spikes alone: convolution, batch norm, LIF",
        ),
    ),
    **dict.fromkeys(
        ("relu", "leaky_relu", "elu", "gelu", "silu", "sigmoid", "tanh", "softplus"),
        (_REAL, "put IF, LIF or PLIF neurons in its place, or keep it after the last layer for the host"),
    ),
    **dict.fromkeys(("softmax", "log_softmax"), ("it divides by a sum over neurons", _BEFORE)),
    **dict.fromkeys(
        ("cat", "concat", "concatenate", "hstack", "vstack"),
        ("a chip's layer has one layer before it", "add the spikes to the input of a later neuron: LIF(conv(s1) + s0)"),
    ),
    **dict.fromkeys(
        ("gt", "ge", "lt", "le", "where", "heaviside", "__gt__", "__ge__", "__lt__", "__le__"),
        ("neurons written out as functions are not recognised", "use SpikingJelly's IF, LIF or PLIF modules"),
    ),
    **dict.fromkeys(
        ("max_pool1d", "max_pool2d", "max_pool3d", "adaptive_max_pool2d"),
        ("the maximum of real values is not a sum", "pool the spikes, after the neuron, or use average pooling"),
    ),
}
_WHAT = {
    "stack": "other layers at other steps",
    "__setitem__": "other layers at other steps",
    **dict.fromkeys(
        ("mul", "__mul__", "__rmul__", "__imul__", "multiply", "addcmul"), "x * LIF(x), a product of activations"
    ),
    **dict.fromkeys(("matmul", "__matmul__", "bmm"), "attention, a product of activations"),
    **dict.fromkeys(("cat", "concat", "concatenate"), "a concatenation"),
    **dict.fromkeys(("add", "__add__", "__iadd__", "__radd__", "sub", "__sub__"), "a sum"),
}


def reason(name: str, part: nn.Module | None) -> tuple[str, str, str]:
    """What it is, why it cannot be exported, what to use: for a function called in that module's forward."""
    why, instead = _REASONS.get(name, (_REAL, _BEFORE))
    return _WHAT.get(name) or what_it_is(name, part), why, instead


def what_it_is(name: str, part: nn.Module | None) -> str:
    """The kind of layer, or in the forward of a larger module the function's name."""
    if part is None or list(part.children()) or not type(part).__module__.startswith(("torch.", "spikingjelly.")):
        return name
    return type(part).__name__
