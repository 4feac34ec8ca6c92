"""The audit of real architectures finds nothing as they are, and with faults planted the faults and nothing else."""

from __future__ import annotations

import pytest
import torch
from architectures import ARCHITECTURES, BertLayer, DropPath, MBConv, StochasticDepth
from torch import Tensor, nn
from torch.nn import functional as F

from dropout_lab import inference
from dropout_lab import nn as dnn


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_no_false_alarm_on_a_real_architecture(name):
    torch.manual_seed(0)
    report = inference.audit(*ARCHITECTURES[name]())
    assert not report.findings, report


class FaultyBert(BertLayer):
    """Attention that drops whatever the mode is."""

    def forward(self, x: Tensor) -> Tensor:
        q, k, v = (part(x).unflatten(-1, (2, -1)).transpose(1, 2) for part in (self.query, self.key, self.value))
        y = F.scaled_dot_product_attention(q, k, v, dropout_p=self.rate)
        x = self.norm1(x + self.dropout(self.output(y.transpose(1, 2).flatten(2))))
        return self.norm2(x + self.dropout(self.narrow(F.gelu(self.wide(x)))))


def faulty_bert():
    model, x = ARCHITECTURES["BERT"]()
    model.layers[1] = FaultyBert({"dim": 16, "dropout": 0.1, "attention_dropout": 0.1})
    model.classifier = nn.Sequential(model.classifier, nn.Dropout(0.1))
    return model, x


def faulty_resnet():
    model, x = ARCHITECTURES["ResNet"]()
    model.layers[0].conv1 = nn.Sequential(model.layers[0].conv1, nn.Dropout2d(0.2))
    model.layers[2].drop_path = DropPath(0.3, scale_by_keep=False)
    return model, x


def faulty_vit():
    model, x = ARCHITECTURES["ViT"]()
    model.pos_drop = nn.Sequential(nn.Dropout(0.1), nn.Dropout2d(0.1))
    model.blocks[1].drop_path = StochasticDepth(0.5, "batch")
    return model, x


def faulty_efficientnet():
    model, x = ARCHITECTURES["EfficientNet"]()
    model.classifier = nn.Sequential(nn.Dropout1d(0.3), nn.Linear(8, 5))
    model.features[4] = nn.Sequential(MBConv(8, 0.2), nn.Dropout(1.0))
    return model, x


def faulty_language_model():
    model, x = ARCHITECTURES["AWD-LSTM"]()
    model.rnns[0] = nn.LSTM(12, 12, dropout=0.2)
    model.decoder = nn.Sequential(dnn.VariationalDropout(0.5), model.decoder)
    model.rates = 0.3, 0.2, 0.0
    return model, x


FAULTY = {
    faulty_bert: [("layers.1", "on-in-eval"), ("classifier.1", "after-last-layer")],
    faulty_resnet: [("layers.0.conv1.1", "before-batch-norm"), ("layers.2.drop_path", "not-rescaled")],
    faulty_vit: [
        ("pos_drop.1", "ambiguous-axis"),
        ("pos_drop.1", "two-in-a-row"),
        ("blocks.1.drop_path", "shared-over-batch"),
    ],
    faulty_efficientnet: [("features.4.1", "rate-one"), ("classifier.0", "no-channels")],
    faulty_language_model: [("rnns.0", "recurrent-without-effect"), ("decoder.0", "time-first")],
}


@pytest.mark.parametrize("build", FAULTY, ids=lambda build: build.__name__)
def test_the_faults_of_a_real_architecture_are_found_and_no_others(build):
    torch.manual_seed(0)
    findings = inference.audit(*build()).findings
    assert [(finding.module, finding.kind) for finding in findings] == FAULTY[build]
