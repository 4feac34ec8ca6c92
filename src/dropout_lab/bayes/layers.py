"""Layers with learned rates: variational Gaussian dropout and concrete dropout."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Literal, Self

import torch
from torch import Tensor, nn

from dropout_lab import noise
from dropout_lab.arguments import flag, floating, integer, positive
from dropout_lab.bayes.divergences import cubic_kl, exact_kl, sigmoid_kl
from dropout_lab.constraints import LAYERS
from dropout_lab.drawing import Drawing
from dropout_lab.functional import variants
from dropout_lab.noise import Source, Stream

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
    r"""A linear layer with multiplicative Gaussian noise on its weights, whose variance α is learned.

    Each weight is w ~ N(θ, αθ²). Training samples the outputs and not the weights (the local reparametrization): output
    i has mean :math:`\sum_j \theta_{ij} x_j + b_i` and variance :math:`\sum_j \alpha\,\theta_{ij}^2 x_j^2`,
    independently for each example and output. ``eval()`` is exactly the linear layer. The input has shape (…,
    in_features) and the output (…, out_features).

    Args:
        in_features: the number of inputs.
        out_features: the number of outputs.
        bias: whether the layer has a bias.
        keep_prob: where the learned keep probability p starts, with α = (1 − p)/p.
        sharing: what has an α of its own: the whole "layer", each input "unit" (as dropout of that unit would), or each
            "weight".
        kl: the divergence: "exact" (:func:`exact_kl`), "cubic" (:func:`cubic_kl`) or "sigmoid" (:func:`sigmoid_kl`).
        device: the device of the parameters.
        dtype: the type of the parameters.

    Raises ValueError for a keep probability that is not strictly between 0 and 1 (at 1 log α is −∞ and cannot move, and
    Gaussian noise has no limit at 0), and for inputs of another width; TypeError for integer input. Source: Kingma,
    Salimans and Welling 2015, sections 2.3 and 3.1.

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
        """Make the same layer from a linear layer, with its weights (copied), dtype, device and mode.

        Args:
            layer: the linear layer.
            keep_prob: where the learned keep probability starts.
            sharing: what has an α of its own, "layer", "unit" or "weight".
            kl: the divergence, "exact", "cubic" or "sigmoid".
        """
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
        """The learned keep probabilities 1/(1 + α).

        Their shape is (1, 1), (1, in_features) or (out_features, in_features), by what shares an α.
        """
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
        """Compute the divergence of all weights together from the log-uniform prior, in nats.

        It is 0 if every α is infinite.
        """
        # In half precision the quadrature would meet 0/0 and the sum its limits.
        log_alpha = self.log_alpha.to(torch.promote_types(self.log_alpha.dtype, torch.float32))
        return _KLS[self.kl](log_alpha).sum() * (self.weight.numel() // max(1, self.log_alpha.numel()))

    @torch.no_grad()
    def bound_alpha_(self, bound: float = 1.0) -> None:
        """Bring every α down to ``bound``, in place; call it after the step.

        Kingma et al. keep α at most 1, which is a keep probability of at least ½.
        """
        self.log_alpha.clamp_(max=math.log(positive("bound", bound)))

    def extra_repr(self) -> str:
        return f"{super().extra_repr()}, sharing={self.sharing!r}, kl={self.kl!r}"


def concrete_mask(
    shape: tuple[int, ...], logit: Tensor, temperature: float = 0.1, *, generator: Source | None = None
) -> Tensor:
    r"""Draw a mask of numbers between 0 and 1 that is a smooth function of its keep probability.

    The mask is :math:`\sigma((\mathrm{logit} + \log u - \log(1-u))/\mathrm{temperature})` with u uniform on [0, 1]. It
    exceeds ½ with exactly the keep probability. Its mean is another, unless the keep probability is ½.

    Args:
        shape: the shape of the mask.
        logit: the logit of the keep probability, in a shape that broadcasts against ``shape``.
        temperature: how smooth the mask is; as it goes to 0, the mask becomes Bernoulli.
        generator: the source of the draws; None for torch's global generator.

    Raises ValueError for a temperature that is not positive and finite. Source: Gal, Hron and Kendall 2017.

    >>> seeded = torch.Generator().manual_seed(0)
    >>> mask = concrete_mask((10_000,), torch.tensor(2.0), generator=seeded)
    >>> keep_prob = torch.sigmoid(torch.tensor(2.0))
    >>> round((mask > 0.5).float().mean().item(), 2), round(keep_prob.item(), 2)
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
    """A layer with dropout on its inputs whose keep probability is learned.

    In training the inputs are multiplied by relaxed masks (:func:`concrete_mask`), one for each example, divided by the
    keep probability if ``rescale``. A relaxed mask multiplies and does not select, so unlike its relatives this layer
    does not stop an inf or a NaN. ``eval()`` is exactly ``layer``, or without ``rescale`` the layer on keep_prob ·
    input. Input and output have the shapes of the layer.

    Args:
        layer: the trained layer to wrap: a linear layer, whose input units are dropped, or a convolution (transposed or
            not), whose input channels are.
        keep_prob: where the learned keep probability starts.
        precision: the precision of the prior: weights have the variance 1/precision. It is the paper's l².
        temperature: how smooth the masks are.

    Raises TypeError for another kind of layer and for integer input; ValueError for a keep probability not strictly
    between 0 and 1, a precision or temperature that is not positive and finite, and inputs of another shape. Source:
    Gal, Hron and Kendall 2017.

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
        """The number of input units or channels that have a mask of their own."""
        return self.layer.in_features if isinstance(self.layer, nn.Linear) else self.layer.in_channels

    def draw_mask(self, x: Tensor, *, generator: Source | None = None) -> Tensor:
        """Draw a relaxed mask for each example of ``x``, divided by the keep probability if ``rescale``.

        Args:
            x: the input of the layer.
            generator: a source of draws for this call alone, instead of the layer's own.

        Returns:
            A mask that broadcasts against ``x``.
        """
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
        """Compute the divergence of the weights under dropout from their Gaussian prior, in nats, up to a constant.

        It is ½ precision · p ‖M‖² − K H(p), for keep probability p and K units. M are the weights that a kept unit has,
        which under ``rescale`` are the layer's divided by p. The bias has no prior. Source: Gal, Hron and Kendall
        2017.
        """
        return self.weight_term() + self.entropy_term()

    def weight_term(self) -> Tensor:
        """Compute the part ½ precision · p ‖M‖² of the regularizer, in nats.

        With the layer's own weights W it is ½ precision · ‖W‖²/p under ``rescale``.
        """
        squares = self.layer.weight.to(self.logit.dtype).square().sum()
        return self.precision / 2 * squares * (1 / self.keep_prob if self.rescale else self.keep_prob)

    def entropy_term(self) -> Tensor:
        """Compute the part −K H(p) of the regularizer, in nats, with H the entropy of one mask.

        It pulls p towards ½, the harder the more units there are.
        """
        # H in logits, where no logarithm sees a 0: −log p = softplus(−logit) and −log(1 − p) = softplus(logit).
        keep_prob, softplus = self.keep_prob, nn.functional.softplus
        return -self.units * (keep_prob * softplus(-self.logit) + torch.sigmoid(-self.logit) * softplus(self.logit))

    def extra_repr(self) -> str:
        convention = "" if self.rescale else ", rescale=False"
        return f"precision={self.precision}, temperature={self.temperature}{convention}"
