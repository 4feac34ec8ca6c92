"""Models as people build them, with dropout layers of torch, timm, torchvision and their own."""

import warnings

import foreign_layers as foreign
import torch
from torch import nn

from dropout_lab.conversion import NotConverted, convert


class Residual(nn.Module):
    """A block as ConvNeXt and ViT have it, with a shared layer and containers of every kind."""

    def __init__(self) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Linear(6, 12), nn.GELU(), nn.Dropout(0.2), nn.Linear(12, 6), nn.Dropout(0.2))
        self.path = foreign.DropPath(0.3)
        self.heads = nn.ModuleDict({"a": nn.Linear(6, 2), "b": nn.Linear(6, 2)})
        self.drop = nn.Dropout(0.1)
        self.again = self.drop

    def forward(self, x):
        x = self.drop(x + self.path(self.body(x)))
        return self.heads["a"](x) + self.heads["b"](self.again(x))


class Convolutional(nn.Module):
    """A classifier as torchvision's, with a dropout that writes into its input."""

    def __init__(self) -> None:
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4), nn.ReLU(), nn.Dropout2d(0.2))
        self.depth = foreign.StochasticDepth(0.25, "row")
        self.classifier = nn.ModuleList([nn.Dropout(0.2, inplace=True), nn.Linear(4, 3)])

    def forward(self, x):
        x = self.features(x)
        x = (x + self.depth(x)).mean((2, 3))
        for layer in self.classifier:
            x = layer(x)
        return x


class Tagger(nn.Module):
    """A recurrent model with locked dropout."""

    def __init__(self) -> None:
        super().__init__()
        self.words, self.lock = nn.Embedding(9, 6), foreign.LockedDropout(0.3)
        self.rnn, self.drop, self.out = nn.LSTM(6, 5), nn.Dropout(0.4), nn.Linear(5, 3)

    def forward(self, tokens):
        return self.out(self.drop(self.rnn(self.lock(self.words(tokens)))[0]))


def encoder():
    layer = nn.TransformerEncoderLayer(8, 2, 16, dropout=0.2, batch_first=True)
    return nn.TransformerEncoder(layer, 2, enable_nested_tensor=False)


ARCHITECTURES = {
    "residual": (Residual, lambda: torch.randn(5, 6)),
    "convolutional": (Convolutional, lambda: torch.randn(4, 3, 6, 6)),
    "tagger": (Tagger, lambda: torch.randint(9, (7, 3))),
    "encoder": (encoder, lambda: torch.randn(3, 5, 8)),
}


def quietly(*given, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", NotConverted)
        return convert(*given, **options)
