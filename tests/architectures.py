"""Real architectures in plain torch, small, with dropout where their libraries put it, to try rules for models on.

Each builder gives a model and an input. They are written as torchvision, timm and the papers' code lay them out, with
their own modules for what torch has no layer for.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class DropPath(nn.Module):
    """Stochastic depth as timm writes it."""

    def __init__(self, drop_prob: float = 0.0, scale_by_keep: bool = True) -> None:
        super().__init__()
        self.drop_prob = drop_prob
        self.scale_by_keep = scale_by_keep

    def forward(self, x: Tensor) -> Tensor:
        if self.drop_prob == 0.0 or not self.training:
            return x
        keep_prob = 1 - self.drop_prob
        mask = x.new_empty((x.shape[0],) + (1,) * (x.ndim - 1)).bernoulli_(keep_prob)
        if keep_prob > 0.0 and self.scale_by_keep:
            mask.div_(keep_prob)
        return x * mask


class StochasticDepth(nn.Module):
    """Stochastic depth as torchvision writes it."""

    def __init__(self, p: float, mode: str) -> None:
        super().__init__()
        self.p = p
        self.mode = mode

    def forward(self, x: Tensor) -> Tensor:
        if not self.training or self.p == 0.0:
            return x
        survival = 1.0 - self.p
        size = [x.shape[0]] + [1] * (x.ndim - 1) if self.mode == "row" else [1] * x.ndim
        noise = torch.empty(size, dtype=x.dtype, device=x.device).bernoulli_(survival)
        if survival > 0.0:
            noise.div_(survival)
        return x * noise


class LockedDropout(nn.Module):
    """One mask for all time steps, as the code of AWD-LSTM writes it: time first."""

    def forward(self, x: Tensor, rate: float = 0.5) -> Tensor:
        if not self.training or not rate:
            return x
        mask = x.data.new(1, x.size(1), x.size(2)).bernoulli_(1 - rate) / (1 - rate)
        return mask.expand_as(x) * x


class BasicBlock(nn.Module):
    """A residual block with stochastic depth."""

    def __init__(self, width: int, drop_path: float) -> None:
        super().__init__()
        self.conv1, self.bn1 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.conv2, self.bn2 = nn.Conv2d(width, width, 3, padding=1, bias=False), nn.BatchNorm2d(width)
        self.drop_path = DropPath(drop_path)

    def forward(self, x: Tensor) -> Tensor:
        y = self.bn2(self.conv2(F.relu(self.bn1(self.conv1(x)))))
        return F.relu(x + self.drop_path(y))


class ResNet(nn.Module):
    """A residual network as timm lays it out: stochastic depth in the blocks, dropout before the classifier."""

    def __init__(self, drop_rate: float = 0.2, drop_path_rate: float = 0.2) -> None:
        super().__init__()
        self.drop_rate = drop_rate
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU(inplace=True))
        self.layers = nn.Sequential(*(BasicBlock(8, drop_path_rate * block / 2) for block in range(3)))
        self.fc = nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.layers(self.stem(x)).mean((2, 3))
        x = F.dropout(x, p=self.drop_rate, training=self.training)
        return self.fc(x)


class MBConv(nn.Module):
    """An inverted bottleneck with squeeze-and-excitation and stochastic depth by rows."""

    def __init__(self, width: int, rate: float) -> None:
        super().__init__()
        wide = 2 * width
        self.expand = nn.Sequential(nn.Conv2d(width, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU())
        self.depthwise = nn.Sequential(
            nn.Conv2d(wide, wide, 3, padding=1, groups=wide, bias=False), nn.BatchNorm2d(wide), nn.SiLU()
        )
        self.squeeze, self.excite = nn.Conv2d(wide, 2, 1), nn.Conv2d(2, wide, 1)
        self.project = nn.Sequential(nn.Conv2d(wide, width, 1, bias=False), nn.BatchNorm2d(width))
        self.stochastic_depth = StochasticDepth(rate, "row")

    def forward(self, x: Tensor) -> Tensor:
        y = self.depthwise(self.expand(x))
        scale = torch.sigmoid(self.excite(F.silu(self.squeeze(F.adaptive_avg_pool2d(y, 1)))))
        return self.stochastic_depth(self.project(y * scale)) + x


class EfficientNet(nn.Module):
    """As torchvision lays it out: the classifier is a sequence of dropout and a linear layer."""

    def __init__(self, dropout: float = 0.3, stochastic_depth_prob: float = 0.2) -> None:
        super().__init__()
        self.features = nn.Sequential(
            nn.Conv2d(3, 8, 3, padding=1, bias=False),
            nn.BatchNorm2d(8),
            nn.SiLU(),
            MBConv(8, 0.0),
            MBConv(8, stochastic_depth_prob),
        )
        self.classifier = nn.Sequential(nn.Dropout(p=dropout, inplace=True), nn.Linear(8, 5))

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(torch.flatten(F.adaptive_avg_pool2d(self.features(x), 1), 1))


class ViTAttention(nn.Module):
    """Self-attention as timm lays it out: the fused kernel in one case, the explicit product in the other."""

    def __init__(self, dim: int, attn_drop: float, proj_drop: float, fused: bool) -> None:
        super().__init__()
        self.fused = fused
        self.qkv = nn.Linear(dim, 3 * dim)
        self.attn_drop = nn.Dropout(attn_drop)
        self.proj = nn.Linear(dim, dim)
        self.proj_drop = nn.Dropout(proj_drop)

    def forward(self, x: Tensor) -> Tensor:
        batch, count, dim = x.shape
        q, k, v = self.qkv(x).reshape(batch, count, 3, 2, dim // 2).permute(2, 0, 3, 1, 4).unbind(0)
        if self.fused:
            x = F.scaled_dot_product_attention(q, k, v, dropout_p=self.attn_drop.p if self.training else 0.0)
        else:
            x = self.attn_drop((q @ k.transpose(-2, -1) / (dim // 2) ** 0.5).softmax(-1)) @ v
        return self.proj_drop(self.proj(x.transpose(1, 2).reshape(batch, count, dim)))


class ViTBlock(nn.Module):
    """A block of a vision transformer with layer scale and stochastic depth on both branches."""

    def __init__(self, dim: int, drop: float, attn_drop: float, drop_path: float, fused: bool) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)
        self.attn = ViTAttention(dim, attn_drop, drop, fused)
        self.mlp = nn.Sequential(nn.Linear(dim, 2 * dim), nn.GELU(), nn.Dropout(drop), nn.Linear(2 * dim, dim))
        self.mlp_drop = nn.Dropout(drop)
        self.drop_path = DropPath(drop_path) if drop_path > 0 else nn.Identity()
        self.scale = nn.Parameter(torch.ones(dim))

    def forward(self, x: Tensor) -> Tensor:
        x = x + self.drop_path(self.scale * self.attn(self.norm1(x)))
        return x + self.drop_path(self.mlp_drop(self.mlp(self.norm2(x))))


class VisionTransformer(nn.Module):
    """As timm lays it out. Most rates are 0 unless they are set, and the layers are there all the same."""

    def __init__(
        self,
        drop_rate: float = 0.0,
        pos_drop_rate: float = 0.0,
        proj_drop_rate: float = 0.0,
        attn_drop_rate: float = 0.0,
        drop_path_rate: float = 0.0,
        fused: bool = True,
    ) -> None:
        super().__init__()
        self.patches = nn.Conv2d(3, 16, 4, 4)
        self.token = nn.Parameter(torch.zeros(1, 1, 16))
        self.places = nn.Parameter(torch.randn(1, 5, 16) * 0.02)
        self.pos_drop = nn.Dropout(pos_drop_rate)
        rates = [drop_path_rate * block for block in range(2)]
        self.blocks = nn.Sequential(*(ViTBlock(16, proj_drop_rate, attn_drop_rate, rate, fused) for rate in rates))
        self.norm = nn.LayerNorm(16)
        self.head_drop = nn.Dropout(drop_rate)
        self.head = nn.Linear(16, 5)

    def forward(self, x: Tensor) -> Tensor:
        x = self.patches(x).flatten(2).transpose(1, 2)
        x = self.pos_drop(torch.cat([self.token.expand(len(x), -1, -1), x], 1) + self.places)
        return self.head(self.head_drop(self.norm(self.blocks(x))[:, 0]))


class TextEncoder(nn.Module):
    """torch's own encoder with a classifier, as its tutorial lays it out."""

    def __init__(self, dropout: float = 0.1, batch_first: bool = True) -> None:
        super().__init__()
        self.embed = nn.Embedding(20, 16)
        self.drop = nn.Dropout(dropout)
        layer = nn.TransformerEncoderLayer(16, 2, 32, dropout=dropout, batch_first=batch_first)
        self.encoder = nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)
        self.head = nn.Linear(16, 5)
        self.batch_first = batch_first

    def forward(self, x: Tensor) -> Tensor:
        return self.head(self.encoder(self.drop(self.embed(x))).mean(int(self.batch_first)))


class BertLayer(nn.Module):
    """A layer of BERT: post-norm, dropout on attention, on its output and on that of the feedforward part."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        dim = config["dim"]
        self.rate = config["attention_dropout"]
        self.query, self.key, self.value = nn.Linear(dim, dim), nn.Linear(dim, dim), nn.Linear(dim, dim)
        self.output, self.dropout = nn.Linear(dim, dim), nn.Dropout(config["dropout"])
        self.wide, self.narrow = nn.Linear(dim, 2 * dim), nn.Linear(2 * dim, dim)
        self.norm1, self.norm2 = nn.LayerNorm(dim), nn.LayerNorm(dim)

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part(x).unflatten(-1, (2, -1)).transpose(1, 2) for part in (self.query, self.key, self.value))
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate if self.training else 0.0)
        x = self.norm1(x + self.dropout(self.output(y.transpose(1, 2).flatten(2))))
        return self.norm2(x + self.dropout(self.narrow(F.gelu(self.wide(x)))))


class Bert(nn.Module):
    """An encoder that takes named arguments and gives a dictionary, as transformers' models do."""

    def __init__(self, config: dict[str, Any]) -> None:
        super().__init__()
        self.embed, self.norm = nn.Embedding(20, config["dim"]), nn.LayerNorm(config["dim"])
        self.dropout = nn.Dropout(config["dropout"])
        self.layers = nn.ModuleList(BertLayer(config) for _ in range(2))
        self.classifier_dropout, self.classifier = nn.Dropout(config["dropout"]), nn.Linear(config["dim"], 5)

    def forward(self, input_ids: Tensor, attention_mask: Tensor) -> dict[str, Tensor]:
        x = self.dropout(self.norm(self.embed(input_ids)))
        for layer in self.layers:
            x = layer(x * attention_mask.unsqueeze(-1))
        return {"logits": self.classifier(self.classifier_dropout(x[:, 0]))}


class LanguageModel(nn.Module):
    """A recurrent language model in the manner of AWD-LSTM: time first, locked dropout around the layers."""

    def __init__(self, dropout_input: float = 0.3, dropout_hidden: float = 0.2, dropout_output: float = 0.4) -> None:
        super().__init__()
        self.rates = dropout_input, dropout_hidden, dropout_output
        self.encoder = nn.Embedding(20, 12)
        self.lock = LockedDropout()
        self.rnns = nn.ModuleList(nn.LSTM(12, 12) for _ in range(2))
        self.decoder = nn.Linear(12, 20)

    def forward(self, x: Tensor) -> Tensor:
        before, between, after = self.rates
        x = self.lock(self.encoder(x), before)
        x, _ = self.rnns[0](x)
        x, _ = self.rnns[1](self.lock(x, between))
        return self.decoder(self.lock(x, after))


class UNet(nn.Module):
    """One step down and up, with a skip connection, and channels dropped at the bottom."""

    def __init__(self, dropout: float = 0.3) -> None:
        super().__init__()
        self.down = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1), nn.GroupNorm(2, 8), nn.ReLU())
        self.bottom = nn.Sequential(nn.Conv2d(8, 16, 3, padding=1), nn.ReLU(), nn.Dropout2d(dropout))
        self.up = nn.ConvTranspose2d(16, 8, 2, 2)
        self.out = nn.Sequential(nn.Conv2d(16, 8, 3, padding=1), nn.ReLU(), nn.Conv2d(8, 2, 1))

    def forward(self, x: Tensor) -> Tensor:
        skip = self.down(x)
        return self.out(torch.cat([skip, self.up(self.bottom(F.max_pool2d(skip, 2)))], 1))


def vgg(dropout: float = 0.5) -> nn.Module:
    """Convolutions with batch normalization, and dropout between the linear layers only, as torchvision has it."""
    return nn.Sequential(
        *(nn.Conv2d(3, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.MaxPool2d(2)),
        *(nn.Conv2d(8, 8, 3, padding=1), nn.BatchNorm2d(8), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(2)),
        *(nn.Flatten(), nn.Linear(32, 16), nn.ReLU(inplace=True), nn.Dropout(p=dropout)),
        *(nn.Linear(16, 16), nn.ReLU(inplace=True), nn.Dropout(p=dropout), nn.Linear(16, 5)),
    )


class GoogLeNet(nn.Module):
    """An inception network with an auxiliary head, which gives outputs in training only."""

    def __init__(self, dropout: float = 0.2, dropout_aux: float = 0.7) -> None:
        super().__init__()
        self.stem = nn.Sequential(nn.Conv2d(3, 8, 3, padding=1, bias=False), nn.BatchNorm2d(8), nn.ReLU())
        self.one, self.three = nn.Conv2d(8, 4, 1), nn.Conv2d(8, 4, 3, padding=1)
        self.aux1, self.aux2, self.aux_drop = nn.Linear(32, 16), nn.Linear(16, 5), nn.Dropout(p=dropout_aux)
        self.dropout, self.fc = nn.Dropout(p=dropout), nn.Linear(8, 5)

    def forward(self, x: Tensor) -> Tensor | tuple[Tensor, Tensor]:
        x = self.stem(x)
        aux = None
        if self.training:
            aux = self.aux2(self.aux_drop(F.relu(self.aux1(F.adaptive_avg_pool2d(x, 2).flatten(1)))))
        x = F.relu(torch.cat([self.one(x), self.three(x)], 1)).mean((2, 3))
        logits = self.fc(self.dropout(x))
        return logits if aux is None else (logits, aux)


class MobileNet(nn.Module):
    """The head of MobileNetV3: dropout between two linear layers, the first with a hard swish."""

    def __init__(self, dropout: float = 0.2) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 8, 3, bias=False), nn.BatchNorm2d(8), nn.Hardswish(inplace=True))
        self.classifier = nn.Sequential(
            nn.Linear(8, 16), nn.Hardswish(inplace=True), nn.Dropout(p=dropout, inplace=True), nn.Linear(16, 5)
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.classifier(self.features(x).mean((2, 3)))


def _images() -> Tensor:
    return torch.randn(4, 3, 8, 8, generator=torch.Generator().manual_seed(0))


def _tokens(*shape: int) -> Tensor:
    return torch.randint(20, shape, generator=torch.Generator().manual_seed(0))


_VIT = {"drop_rate": 0.1, "pos_drop_rate": 0.1, "proj_drop_rate": 0.1, "attn_drop_rate": 0.1, "drop_path_rate": 0.2}

#: Each gives a model, freshly initialized, and what it is called with: a tensor, or a dict of named arguments.
ARCHITECTURES: dict[str, Callable[[], tuple[nn.Module, Any]]] = {
    "ResNet": lambda: (ResNet(), _images()),
    "EfficientNet": lambda: (EfficientNet(), _images()),
    "ViT": lambda: (VisionTransformer(**_VIT), _images()),
    "ViT, explicit attention": lambda: (VisionTransformer(**_VIT, fused=False), _images()),
    "ViT, rates of 0": lambda: (VisionTransformer(), _images()),
    "TransformerEncoder": lambda: (TextEncoder(), _tokens(4, 6)),
    "TransformerEncoder, time first": lambda: (TextEncoder(batch_first=False), _tokens(6, 4)),
    "BERT": lambda: (
        Bert({"dim": 16, "dropout": 0.1, "attention_dropout": 0.1}),
        {"input_ids": _tokens(4, 6), "attention_mask": torch.ones(4, 6)},
    ),
    "AWD-LSTM": lambda: (LanguageModel(), _tokens(6, 4)),
    "U-Net": lambda: (UNet(), _images()),
    "VGG": lambda: (vgg(), _images()),
    "GoogLeNet": lambda: (GoogLeNet(), _images()),
    "MobileNetV3": lambda: (MobileNet(), _images()),
}
