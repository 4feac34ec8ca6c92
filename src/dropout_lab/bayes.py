"""Dropout whose rates are learned: variational Gaussian dropout and concrete dropout.

Both add a regularizer in nats to the loss: a divergence of the weights' approximate posterior from a prior, for the
whole data set. With a loss in nats per example and N training examples, minimize ``loss + sum(layer.regularizer() for
…) / N``.

``stream`` or ``generator`` is a layer's own source of draws (:mod:`dropout_lab.nn`). Under activation checkpointing
take a stream: a generator of your own is drawn from again when the forward pass is repeated.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, Self

import numpy as np
import torch
from torch import Tensor, nn

from dropout_lab import noise
from dropout_lab.arguments import flag, floating, integer, positive
from dropout_lab.constraints import LAYERS
from dropout_lab.drawing import Drawing
from dropout_lab.functional import variants
from dropout_lab.noise import Source, Stream

# ∫₀¹ by Gauss and Legendre: the integrand is even, so the positive half of 80 nodes on [−1, 1] does the work of all
# of them.
_nodes, _weights = (half[40:] for half in np.polynomial.legendre.leggauss(80))
#: 1 − t² at the nodes, and the weights over it; taken in double precision, since 1 − t² cancels near t = 1.
_FALLING = ((1 - _nodes) * (1 + _nodes)).tolist()
_WEIGHTS = (_weights / _FALLING).tolist()
#: Below this α the quadrature would need more nodes, and five terms of the series are as exact.
_SMALL_ALPHA = 1 / 400
_LIMIT = (np.euler_gamma + math.log(2)) / 2


def exact_kl(log_alpha: Tensor) -> Tensor:
    """The divergence of N(θ, α θ²) from the log-uniform prior ``p(|w|) ∝ 1/|w|``, in nats for each α given.

    The prior is improper, so the divergence is known up to a constant: here it is 0 at α = ∞, where the weight says
    nothing. By Kingma, Salimans and Welling (2015) it is −½ log α + E log|ε| with ε ~ N(1, α). Since ε²/α
    is a noncentral χ² with u = 1/α, whose E log has the derivative ∫₀¹ exp(−(1 − t²) u/2) dt in u, integrating over u
    gives

        KL(α) = ∫₀¹ (1 − exp(−(1 − t²) / (2α))) / (1 − t²) dt.

    The integrand is entire and 40 nodes leave a relative error below 1e-12. For α < 1/400 the expansion of E log|1 +
    √α z| takes over, to the same accuracy. The memory needed is 40 times that of ``log_alpha``: with one α for each
    of a million weights, take :func:`sigmoid_kl`.

    >>> exact_kl(torch.tensor([0.0, 100.0])).round(decimals=4)
    tensor([0.4267, 0.0000])
    """
    alpha = floating("log_alpha", log_alpha).clamp(max=math.log(_SMALL_ALPHA)).exp()
    expansion = alpha * (1 / 2 + alpha * (3 / 4 + alpha * (5 / 2 + alpha * (105 / 8 + alpha * 189 / 2))))
    series = _LIMIT - log_alpha / 2 - expansion
    falling, weight = (log_alpha.new_tensor(values) for values in (_FALLING, _WEIGHTS))
    half_u = (-log_alpha.clamp(min=math.log(_SMALL_ALPHA))).exp() / 2
    # Where products are cast to half precision, this one must not be.
    with torch.autocast(log_alpha.device.type, enabled=False):
        integral = torch.expm1(-half_u.unsqueeze(-1) * falling) @ -weight
    return torch.where(log_alpha < math.log(_SMALL_ALPHA), series, integral)


def cubic_kl(log_alpha: Tensor) -> Tensor:
    """The published cubic for :func:`exact_kl`, for α ≤ 1 (Kingma, Salimans and Welling 2015, section 3.3).

    −KL ≈ const + ½ log α + c₁α + c₂α² + c₃α³, with the constant that is right as α → 0. Measured against
    :func:`exact_kl` its error lies between −0.041 and 0. Raises ValueError for α > 1, where the cubic means nothing.

    >>> log_alpha = torch.tensor([-3.0, 0.0])
    >>> cubic_kl(log_alpha) - exact_kl(log_alpha)
    tensor([-0.0270, -0.0372])
    """
    if (floating("log_alpha", log_alpha) > 0).any():
        raise ValueError(f"the cubic holds for alpha up to 1, got {log_alpha.detach().max().exp().item():g}")
    alpha = log_alpha.exp()
    cubic = alpha * (1.161451241083230 + alpha * (-1.502041176441722 + alpha * 0.586299206427007))
    return _LIMIT - log_alpha / 2 - cubic


def sigmoid_kl(log_alpha: Tensor) -> Tensor:
    """The published fit to :func:`exact_kl` for any α (Molchanov, Ashukha and Vetrov 2017, equation 14).

    Measured against :func:`exact_kl` its error lies between −0.005 and 0.010.

    >>> log_alpha = torch.tensor([-3.0, 0.0, 3.0])
    >>> sigmoid_kl(log_alpha) - exact_kl(log_alpha)
    tensor([0.0076, 0.0046, 0.0007])
    """
    floating("log_alpha", log_alpha)
    return 0.63576 * torch.sigmoid(-(1.87320 + 1.48695 * log_alpha)) + nn.functional.softplus(-log_alpha) / 2


#: The divergences by the names that layers take.
_KLS: dict[str, Callable[[Tensor], Tensor]] = {"exact": exact_kl, "cubic": cubic_kl, "sigmoid": sigmoid_kl}


def _open_keep_prob(keep_prob: float) -> float:
    keep_prob = noise.check_keep_prob(keep_prob)
    if keep_prob in (0, 1):
        raise ValueError(f"a learned keep_prob must start strictly between 0 and 1, got {keep_prob}")
    return keep_prob


def _check_input(owner: nn.Module, x: Tensor, channel_axis: int, channels: int, dim: int | None = None) -> None:
    name = type(owner).__name__
    if not x.is_floating_point():
        raise TypeError(f"{name} needs floating point input, got {x.dtype}")
    if x.dim() < 1 or (dim is not None and x.dim() != dim) or x.shape[channel_axis] != channels:
        expected = f"(…, {channels})" if dim is None else f"(N, {channels}{', length' * (dim - 2)})"
        raise ValueError(f"{name} needs input of shape {expected}, got {tuple(x.shape)}")


class LearnedGaussianDropout(Drawing, nn.Linear):
    """A linear layer with multiplicative Gaussian noise on its weights, whose variance α is learned.

    Each weight is w ~ N(θ, α θ²). Training samples the outputs, not the weights (the local reparametrization of
    Kingma, Salimans and Welling 2015, sections 2.3 and 3.1): y ~ N(θx + b, Σ_j α θ_j² x_j²), independently for each
    example and output. ``sharing`` says who shares an α: the whole "layer", an input "unit" (as dropout of that unit
    would), or no one ("weight"). α = (1 − p)/p for keep probability p, and ``keep_prob`` is where it starts. ``kl``
    names the divergence: "exact", "cubic" or "sigmoid" (:func:`exact_kl`, :func:`cubic_kl`, :func:`sigmoid_kl`).
    ``eval()`` is exactly the linear layer.

    Shapes: (…, in_features) to (…, out_features). Raises ValueError for a keep probability that is not strictly
    between 0 and 1 (at 1 log α is −∞ and cannot move; Gaussian noise has no limit at 0), and for inputs of another
    width; TypeError for integer input.

    >>> layer = LearnedGaussianDropout(3, 2, keep_prob=0.8, sharing="unit")
    >>> layer.keep_prob
    tensor([[0.8000, 0.8000, 0.8000]], grad_fn=<SigmoidBackward0>)
    >>> layer(torch.ones(5, 3)).shape, layer.regularizer().shape
    (torch.Size([5, 2]), torch.Size([]))
    """

    variant = variants.LEARNED_GAUSSIAN_DROPOUT

    def __init__(
        self,
        in_features: int,
        out_features: int,
        bias: bool = True,
        *,
        keep_prob: float = 0.5,
        sharing: Literal["layer", "unit", "weight"] = "layer",
        kl: Literal["exact", "cubic", "sigmoid"] = "exact",
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        in_features = integer("in_features", in_features, least=1)
        out_features = integer("out_features", out_features, least=1)
        super().__init__(in_features, out_features, flag("bias", bias), device=device, dtype=dtype)
        shapes = {"layer": (1, 1), "unit": (1, in_features), "weight": (out_features, in_features)}
        if sharing not in tuple(shapes):
            raise ValueError(f"sharing must be one of {', '.join(shapes)}; got {sharing!r}")
        if kl not in tuple(_KLS):
            raise ValueError(f"kl must be one of {', '.join(_KLS)}; got {kl!r}")
        keep_prob = _open_keep_prob(keep_prob)
        self.own_source(generator, stream)
        self.sharing = sharing
        self.kl = kl
        start = math.log((1 - keep_prob) / keep_prob)
        self.log_alpha = nn.Parameter(torch.full(shapes[sharing], start, device=device, dtype=dtype))

    @classmethod
    def from_linear(
        cls,
        layer: nn.Linear,
        *,
        keep_prob: float = 0.5,
        sharing: Literal["layer", "unit", "weight"] = "layer",
        kl: Literal["exact", "cubic", "sigmoid"] = "exact",
    ) -> Self:
        """The same layer with the trained weights (copied), dtype, device and mode of a linear layer."""
        weight, bias = layer.weight, layer.bias
        learned = cls(
            layer.in_features,
            layer.out_features,
            bias is not None,
            keep_prob=keep_prob,
            sharing=sharing,
            kl=kl,
            device=weight.device,
            dtype=weight.dtype,
        )
        with torch.no_grad():
            learned.weight.copy_(weight)
            if bias is not None:
                learned.bias.copy_(bias)
        return learned.train(layer.training)

    @property
    def keep_prob(self) -> Tensor:
        """The learned keep probabilities 1/(1 + α): shape (1, 1), (1, in_features) or (out_features, in_features)."""
        return torch.sigmoid(-self.log_alpha)

    def forward(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        if not isinstance(x, Tensor):
            return self.traced(x)
        _check_input(self, x, -1, self.in_features)
        mean = super().forward(x)
        if not self.training:
            return mean
        # Squares overflow and vanish in half precision, so all is in float32 at least and is rounded once.
        dtype, wide = mean.dtype, torch.promote_types(mean.dtype, torch.float32)
        with torch.autocast(x.device.type, enabled=False):
            x, weight = x.to(wide), self.weight.to(wide)
            if dtype != wide:
                mean = nn.functional.linear(x, weight, None if self.bias is None else self.bias.to(wide))
            variance = nn.functional.linear(x.square(), self._variances(weight))
            # √ has no finite slope at 0, which an input of zeros reaches. A NaN is not 0, and stays in sight.
            silent = variance == 0
            deviation = torch.where(silent, 0.0, torch.where(silent, 1.0, variance).sqrt())
            source = noise.placed(self.source(generator), 0)
            with noise.mode_of(mean):
                draws = noise.normal(mean.shape, generator=source, device=mean.device)
            return (mean + deviation * draws).to(dtype)

    def _variances(self, weight: Tensor) -> Tensor:
        """α θ² for each weight, finite: a weight or an input of 0 adds no noise, also where α is beyond the range."""
        log_alpha = torch.where(weight == 0, 0.0, self.log_alpha.to(weight.dtype))
        return (weight.square() * log_alpha.exp()).clamp(max=torch.finfo(weight.dtype).max / self.in_features)

    def regularizer(self) -> Tensor:
        """The divergence from the log-uniform prior of all weights together, in nats; 0 if every α were infinite."""
        # In half precision the quadrature would meet 0/0 and the sum its limits.
        log_alpha = self.log_alpha.to(torch.promote_types(self.log_alpha.dtype, torch.float32))
        return _KLS[self.kl](log_alpha).sum() * (self.weight.numel() // max(1, self.log_alpha.numel()))

    @torch.no_grad()
    def bound_alpha_(self, bound: float = 1.0) -> None:
        """Bring every α down to ``bound``, in place, after the step: Kingma et al. keep α ≤ 1, which is p ≥ ½."""
        self.log_alpha.clamp_(max=math.log(positive("bound", bound)))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, sharing={self.sharing!r}, kl={self.kl!r}"


def concrete_mask(
    shape: tuple[int, ...], logit: Tensor, temperature: float = 0.1, *, generator: Source | None = None
) -> Tensor:
    """A keep mask between 0 and 1, smooth in its rate: σ((logit + log u − log(1 − u)) / temperature) with u uniform.

    Gal, Hron and Kendall (2017), in terms of the keep probability's ``logit``, which broadcasts against
    ``shape``. P(mask > ½) is the keep probability exactly; the mean is not, unless that is ½. Raises ValueError for a
    temperature that is not positive and finite.

    >>> mask = concrete_mask((10_000,), torch.tensor(2.0), generator=torch.Generator().manual_seed(0))
    >>> round((mask > 0.5).float().mean().item(), 2), round(torch.sigmoid(torch.tensor(2.0)).item(), 2)
    (0.88, 0.88)
    """
    temperature = positive("temperature", temperature)
    source = noise.placed(generator, 0)
    floating("logit", logit)
    with noise.mode_of(logit):
        uniform = noise.uniform(shape, generator=source, device=logit.device)
    # A draw of 0 gives −∞ here, and a mask and a slope of 0 below; 1 is never drawn. The type is set by hand, since a
    # logit without axes does not promote the draws.
    logistic = (uniform.log() - torch.log1p(-uniform)).to(logit.dtype)
    return torch.sigmoid((logit + logistic) / temperature)


class ConcreteDropout(Drawing):
    """A layer with dropout before it whose keep probability is learned (Gal, Hron and Kendall 2017).

    Wraps ``layer``, trained weights and all: a linear layer, whose input units are dropped, or a convolution
    (transposed or not), whose input channels are. Training multiplies by relaxed masks (:func:`concrete_mask`), one
    an example, divided by the keep probability if ``rescale``. A relaxed mask multiplies and does not
    select, so unlike its relatives this layer does not stop an inf or a NaN. ``eval()`` is exactly ``layer`` (without
    ``rescale``: on keep_prob · input).

    ``precision`` is the prior's: weights ~ N(0, 1/precision), the paper's l². ``keep_prob`` is where the learned one
    starts. Raises TypeError for another kind of layer and for integer input; ValueError for a keep probability not
    strictly between 0 and 1, a precision or temperature that is not positive and finite, and inputs of another shape.

    >>> layer = ConcreteDropout(nn.Linear(3, 2), keep_prob=0.8)
    >>> round(layer.keep_prob.item(), 2), layer.units, layer(torch.ones(5, 3)).shape
    (0.8, 3, torch.Size([5, 2]))
    """

    variant = variants.CONCRETE_DROPOUT

    def __init__(
        self,
        layer: nn.Module,
        *,
        keep_prob: float = 0.9,
        precision: float = 1.0,
        temperature: float = 0.1,
        rescale: bool = True,
        generator: Source | None = None,
        stream: Stream | None = None,
    ) -> None:
        super().__init__()
        self.own_source(generator, stream)
        if not isinstance(layer, LAYERS):
            raise TypeError(f"ConcreteDropout wraps a linear layer or a convolution, got {type(layer).__name__}")
        keep_prob = _open_keep_prob(keep_prob)
        self.layer = layer
        self.precision = positive("precision", precision)
        self.temperature = positive("temperature", temperature)
        self.rescale = flag("rescale", rescale)
        # The logit stays in float32: in half precision its steps would be those of keep_prob near 1.
        dtype = torch.promote_types(layer.weight.dtype, torch.float32)
        start = math.log(keep_prob / (1 - keep_prob))
        self.logit = nn.Parameter(torch.tensor(start, device=layer.weight.device, dtype=dtype))

    @property
    def keep_prob(self) -> Tensor:
        """The learned keep probability, a tensor of one element."""
        return torch.sigmoid(self.logit)

    @property
    def units(self) -> int:
        """How many input units or channels have a mask of their own."""
        return self.layer.in_features if isinstance(self.layer, nn.Linear) else self.layer.in_channels

    def draw_mask(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        """A relaxed mask for the input ``x``, divided by the keep probability if ``rescale``; one for each example."""
        is_linear = isinstance(self.layer, nn.Linear)
        shape = tuple(x.shape) if is_linear else (*x.shape[:2], *(1 for _ in x.shape[2:]))
        mask = concrete_mask(shape, self.logit, self.temperature, generator=self.source(generator))
        if self.rescale:
            # Beyond the range a mask is 0 as well, and 0/0 is none.
            mask = mask / self.keep_prob.clamp(min=torch.finfo(self.logit.dtype).tiny)
        return mask.to(x.dtype)

    def forward(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        if not isinstance(x, Tensor):
            return self.traced(x)
        if isinstance(self.layer, nn.Linear):
            _check_input(self, x, -1, self.units)
        else:
            _check_input(self, x, 1 if x.dim() > 1 else 0, self.units, self.layer.weight.dim())
        if self.training:
            x = x * self.draw_mask(x, generator=generator)
        elif not self.rescale:
            x = x * self.keep_prob.to(x.dtype)
        return self.layer(x)

    def regularizer(self) -> Tensor:
        """The divergence of the weights under dropout from their Gaussian prior, in nats, up to a constant.

        As in Gal, Hron and Kendall (2017): ½ precision · p ‖M‖² − K H(p), for keep probability p and K units. M are the
        weights that a kept unit has, which under ``rescale`` are the layer's divided by p. The bias has no prior.
        """
        return self.weight_term() + self.entropy_term()

    def weight_term(self) -> Tensor:
        """½ precision · p ‖M‖² in nats. With the layer's own weights W under ``rescale`` it is ½ precision · ‖W‖²/p."""
        squares = self.layer.weight.to(self.logit.dtype).square().sum()
        return self.precision / 2 * squares * (1 / self.keep_prob if self.rescale else self.keep_prob)

    def entropy_term(self) -> Tensor:
        """−K H(p) in nats, with H the entropy of one mask: pulls p towards ½, the harder the more units there are."""
        # H in logits, where no logarithm sees a 0: −log p = softplus(−logit) and −log(1 − p) = softplus(logit).
        keep_prob, softplus = self.keep_prob, nn.functional.softplus
        return -self.units * (keep_prob * softplus(-self.logit) + torch.sigmoid(-self.logit) * softplus(self.logit))

    def extra_repr(self) -> str:
        convention = "" if self.rescale else ", rescale=False"
        return f"precision={self.precision}, temperature={self.temperature}{convention}"
