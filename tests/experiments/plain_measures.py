"""Every measure of a trained stack once more, for one replica in plain torch."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import torch
from plain_networks import factors_of, one_replica, plain
from scipy.optimize import brentq, minimize_scalar
from sklearn.linear_model import LinearRegression
from torch.nn import functional as F

from dropout_lab.experiments.draws import Bits, Purpose, stream
from dropout_lab.experiments.measures import members
from dropout_lab.experiments.networks import GRU
from dropout_lab.experiments.noisy import Noisy

#: The seeds of the replicas.
SEEDS = (0, 3)


class Plain:
    """One replica of a stack, in plain torch."""

    def __init__(self, trained, row):
        self.trained, self.row, self.network = trained, row, trained.network
        self.one = one_replica(trained.parameters, row)

    def sample(self, count=1000, part="test"):
        inputs, labels = self.trained.sample(count, part)
        return inputs[self.row], labels[self.row]

    def run(self, inputs, touch=lambda _, values: values, one=None):
        return plain(self.network, self.one if one is None else one, inputs, touch)

    def stream(self, key):
        return stream(SEEDS[self.row], Purpose.MEASURE, 1000 + key)

    def hidden(self, count=1000):
        found = {name: values for name, values in self.run(self.sample(count)[0])[1].items() if name[:6] == "hidden"}
        return {name[6:]: values.double() for name, values in found.items()}

    def noise(self, at, inputs):
        """The factors that the stack's own noise draws for all inputs, for this replica."""
        batch = len(inputs)
        shapes = {place: tuple(values.shape) for place, values in self.run(inputs)[1].items()}
        if isinstance(self.network, GRU):
            shapes["state"] = (batch, self.network.steps, self.network.width)
        found = {place: at.factor(self.network.place(place), shape) for place, shape in shapes.items()}
        return {place: factor[self.row] for place, factor in found.items() if factor is not None}


def wrong(outputs, labels):
    return 100 * (outputs.argmax(-1) != labels).double().mean().item()


def outcome(one):
    found = {}
    for part, mark in (("test", ""), ("train", "train_")):
        inputs, labels = one.sample(10_000, part)
        outputs = one.run(inputs)[0]
        found |= {f"{mark}error": wrong(outputs, labels), f"{mark}nll": F.cross_entropy(outputs, labels).item()}
    return found


def sparsity(one):
    found = {}
    for number, values in one.hidden().items():
        root = values.shape[1] ** 0.5
        found[f"zeros{number}"] = (values == 0).double().mean().item()
        found[f"dead{number}"] = (values.amax(0) == 0).double().mean().item()
        found[f"mean{number}"] = values.mean().item()
        found[f"hoyer{number}"] = np.mean(
            [(root - float(v.sum() / v.square().sum().sqrt())) / (root - 1) for v in values if v.any()]
        )
    return found


def lengths(one):
    return {
        f"longest{number}": max(v.square().sum().sqrt().item() for v in values)
        for number, values in one.hidden().items()
    }


def correlation(one):
    found = {}
    for number, values in one.hidden().items():
        table = values[:, values.std(0) > 0].numpy()
        units = table.shape[1]
        if units < 2:
            found |= {f"{name}{number}": np.nan for name in ("correlation", "participation", "redundancy")}
            continue
        alike = np.corrcoef(table, rowvar=False)
        explained = []
        for unit in range(units):
            # A ridge regression of 1 % on standardized units, the unit's own variance raised as well.
            others = [other for other in range(units) if other != unit]
            ridge = alike[np.ix_(others, others)] + 0.01 * np.eye(units - 1)
            left = 1.01 - alike[unit, others] @ np.linalg.solve(ridge, alike[others, unit])
            explained.append(max(0, 1 - left))
        values = np.linalg.eigvalsh(alike)
        found[f"correlation{number}"] = np.mean([abs(alike[pair]) for pair in itertools.combinations(range(units), 2)])
        found[f"participation{number}"] = values.sum() ** 2 / (values**2).sum() / units
        found[f"redundancy{number}"] = np.mean(explained)
    return found


def variance_shift(one):
    seen = one.run(one.sample()[0])[1]
    sums = {name[3:]: values.double() for name, values in seen.items() if name[:3] == "sum"}
    return {
        f"variance_ratio{n}": np.mean(values.numpy().var(0, ddof=1) / one.one[f"running_variance{n}"].double().numpy())
        for n, values in sums.items()
    }


def reconstruction(one):
    maps = one.run(one.sample()[0])[1]["features1"].double().numpy()
    scores = []
    for channel in range(maps.shape[1]):
        one_map = maps[:, channel]
        sides = (one_map[:, :-2, 1:-1], one_map[:, 2:, 1:-1], one_map[:, 1:-1, :-2], one_map[:, 1:-1, 2:])
        design, target = np.stack([side.ravel() for side in sides], 1), one_map[:, 1:-1, 1:-1].ravel()
        if target.std():
            scores.append(LinearRegression().fit(design, target).score(design, target))
    return {"r2_features1": np.mean(scores)}


def mask_left_on(one):
    inputs, labels = one.sample(10_000)
    outputs = one.run(inputs, factors_of(one.noise(one.trained.noisy(), inputs)))[0]
    return {"error_with_mask": wrong(outputs, labels), "nll_with_mask": F.cross_entropy(outputs, labels).item()}


def monte_carlo(one):
    inputs, labels = one.sample(10_000)
    at = one.trained.noisy()
    draws = [one.run(inputs, factors_of(one.noise(at, inputs)))[0].double().log_softmax(-1) for _ in range(3)]
    scaled = one.run(inputs)[0].softmax(-1)
    rows = []
    for few in (draws[:1], draws):
        arithmetic, geometric = sum(draw.exp() for draw in few) / len(few), (sum(few) / len(few)).softmax(-1)
        row = {"mc_error": wrong(arithmetic, labels), "geometric_error": wrong(geometric, labels)}
        row["mc_nll"] = F.nll_loss(arithmetic.log(), labels).item()
        pairs = {"to_geometric": (scaled, geometric), "to_arithmetic": (scaled, arithmetic)}
        for name, (left, right) in (pairs | {"between": (geometric, arithmetic)}).items():
            row[name] = ((left - right).abs().sum(-1) / 2).mean().item()
        rows.append(row)
    return {name: [row[name] for row in rows] for name in rows[0]}


def probabilities(one):
    return {"probabilities": one.run(one.sample(10_000)[0])[0].softmax(-1).numpy()}


def predictions(one):
    """Masks by the streams of seed 0, drawn for four members at once."""
    inputs, found = one.sample(10_000)[0], []
    alike = [replace(replica, seed=0) for replica in one.trained.replicas]
    at = members.Member(Noisy(alike, one.trained.parameters, Purpose.MEASURE, 2000), 4)
    drawn = one.noise(at, inputs)
    for member in range(4):
        factors = factors_of({place: factor[member : member + 1] for place, factor in drawn.items()})
        found.append(one.run(inputs, factors)[0].softmax(-1).numpy())
    return {"members": np.stack(found)}


def weight_noise(one):
    source, errors, rises = one.stream(3), [], []
    (inputs, labels), (seen, answers) = one.sample(), one.sample(part="train")
    for _ in range(2):
        moved = dict(one.one)
        for name, weight in one.one.items():
            if name[:6] == "weight":
                normal = torch.from_numpy(source.standard_normal(tuple(weight.shape), np.float32))
                # A unit is a row of filters, or a column of a dense matrix.
                axes = (1, 2, 3) if weight.dim() == 4 else (0,)
                norms = [part.square().sum(axes, keepdim=True).sqrt() for part in (weight, normal)]
                moved[name] = weight + 0.3 * normal * norms[0] / norms[1]
        errors.append(wrong(one.run(inputs, one=moved)[0], labels))
        before, after = (F.cross_entropy(one.run(seen, one=which)[0], answers) for which in (one.one, moved))
        rises.append((after - before).item())
    return {"noisy_weights_error": np.mean(errors), "sharpness": np.mean(rises)}


def hessian_trace(one):
    inputs, labels = one.sample(part="train")
    fixed = {name: value for name, value in one.one.items() if name[:7] == "running"}
    learned = {name: value for name, value in one.one.items() if name not in fixed}
    bits = Bits([one.stream(4)], [True])

    def loss(*values):
        return F.cross_entropy(one.run(inputs, one=fixed | dict(zip(learned, values, strict=True)))[0], labels)

    found = []
    for _ in range(3):
        signs = tuple(
            torch.from_numpy(np.where(bits.draw(tuple(value.shape))[0] < 0, -1, 1).astype(np.float32))
            for value in learned.values()
        )
        _, product = torch.autograd.functional.hvp(loss, tuple(learned.values()), signs)
        found.append(sum((sign * part).sum().item() for sign, part in zip(signs, product, strict=True)))
    return {"hessian_trace": np.mean(found)}


def at_equal_loss(one):
    inputs, labels = one.sample(part="train")
    outputs = one.run(inputs)[0].double()

    def gap(factor):
        return F.cross_entropy(factor * outputs, labels).item() - 1.35

    return {"output_scale": brentq(gap, 0, minimize_scalar(gap, (0, 0.01)).x), "train_nll": 1.35}


def travelled(one):
    replica = one.trained.replicas[one.row]
    start = one.network.initial(one.trained.dataset, stream(replica.seed, Purpose.WEIGHTS))
    learned = [name for name in start if name[:7] != "running"]
    ends, starts = (
        torch.cat([torch.as_tensor(which[name]).flatten() for name in learned]) for which in (one.one, start)
    )
    return {"travelled": ((ends - starts).norm() / starts.norm()).item()}


def single_removal(one):
    inputs, labels = one.sample(500)
    intact, seen, _ = one.run(inputs)
    flips, rises = [], []
    for place, values in seen.items():
        for unit in range(values.shape[-1] if place[:6] == "hidden" else 0):
            kept = torch.ones(values.shape[-1])
            kept[unit] = 0
            outputs = one.run(inputs, factors_of({place: kept}))[0]
            flips.append(wrong(outputs, intact.argmax(-1)))
            rises.append((F.cross_entropy(outputs, labels) - F.cross_entropy(intact, labels)).item())
    found = {"worst_flips": max(flips), "mean_flips": np.mean(flips)}
    return found | {"worst_nll": max(rises), "mean_nll": np.mean(rises)}


def half_removed(one):
    inputs, labels = one.sample()
    seen, source, errors = one.run(inputs)[1], one.stream(1), []
    for _ in range(5):
        kept = {}
        for place, values in seen.items():
            if place[:6] == "hidden":
                units, few = values.shape[-1], (values.shape[-1] + 1) // 2
                kept[place] = torch.tensor([units / few if rank < few else 0.0 for rank in source.permutation(units)])
        errors.append(wrong(one.run(inputs, factors_of(kept))[0], labels))
    return {"half_removed_error": np.mean(errors)}


def most_active_removed(one):
    inputs, labels = one.sample()
    left = {}
    for place, values in one.run(one.sample(part="train")[0])[1].items():
        if place[:6] == "hidden":
            busiest = np.argsort(-values.double().mean(0).numpy(), kind="stable")[: values.shape[1] // 2]
            left[place] = torch.tensor([0.0 if unit in busiest else 1.0 for unit in range(values.shape[1])])
    return {"most_active_removed_error": wrong(one.run(inputs, factors_of(left))[0], labels)}


def parts_alone(one):
    found = {}
    for part, mark in (("test", ""), ("train", "train_")):
        inputs, labels = one.sample(part=part)
        read, name = one.run(inputs)[2], one.network.layers[-1].weight
        units, errors = read.shape[1], []
        for third in range(3):
            inside = [unit for unit in range(units) if unit * 3 // units == third]
            lead = units / len(inside) * read[:, inside] @ one.one[name][inside]
            errors.append(wrong(lead + one.one[name.replace("weight", "bias")], labels))
        found[f"part_{mark}error"] = np.mean(errors)
    return found


def disturbed(one):
    source, (inputs, labels) = one.stream(2), one.sample()

    def touch(place, values):
        if place[:6] != "hidden":
            return values
        noise = torch.from_numpy(source.standard_normal(tuple(values.shape), np.float32))
        return values + values.square().mean().sqrt() * noise

    return {"disturbed_error": np.mean([wrong(one.run(inputs, touch)[0], labels) for _ in range(2)])}


def unit_information(one):
    labels, found = one.sample()[1].numpy(), {}
    for number, values in one.hidden().items():
        shares = []
        for unit in values.numpy().T:
            between = sum(
                (labels == label).mean() * (unit[labels == label].mean() - unit.mean()) ** 2 for label in range(4)
            )
            shares.append(between / unit.var() if unit.var() else np.nan)
        found[f"unit_information{number}"] = np.nanmean(shares)
    return found


def leads(one):
    """What each unit adds to the lead of the chosen class, example by example, and what it reads."""
    outputs, _, read = one.run(one.sample()[0])
    weight = one.one[one.network.layers[-1].weight]
    for row, values in zip(outputs, read, strict=True):
        first, second = row.topk(2).indices
        yield (values * (weight[:, first] - weight[:, second])).abs().double(), values


def decision_units(one):
    return {"decision_units": np.nanmean([(c.sum() ** 2 / c.square().sum()).item() for c, _ in leads(one)])}


def decision_units_among(one):
    random, shares, active = one.stream(13), [], []
    for parts, values in leads(one):
        order = [unit for unit in np.argsort(random.random(len(values))) if values[unit] != 0]
        active.append(len(order))
        if len(order) >= 2:
            few = parts[order[:2]]
            shares.append((few.sum() ** 2 / few.square().sum()).item())
    return {"decision_units_among": np.nanmean(shares) if shares else np.nan, "active_units": np.mean(active)}


def few_units(one):
    (inputs, labels), (seen, answers) = one.sample(), one.sample(part="train")
    unseen, seen = (one.run(part)[2].double().numpy() for part in (inputs, seen))
    source, errors = one.stream(11), []
    for _ in range(3):
        chosen = source.permutation(seen.shape[1])[:4]
        design, asked = (np.column_stack([part[:, chosen], np.ones(len(part))]) for part in (seen, unseen))
        ridge = 1e-2 * (design**2).sum(0).mean()
        fitted = np.linalg.solve(design.T @ design + ridge * np.eye(5), design.T @ np.eye(4)[answers.numpy()])
        errors.append(100 * ((asked @ fitted).argmax(1) != labels.numpy()).mean())
    return {"readout_error": [np.mean(errors)]}


def filter_radius(one):
    deviation = one.sample()[0].double().std(0).numpy()
    radii = []
    for column in (one.one["weight1"].double().numpy() * deviation[:, None]).T:
        share = (column**2 / (column**2).sum()).reshape(8, 8)
        center = [(share.sum(1) * np.arange(8)).sum(), (share.sum(0) * np.arange(8)).sum()]
        away = [[(row - center[0]) ** 2 + (col - center[1]) ** 2 for col in range(8)] for row in range(8)]
        radii.append((share * away).sum() ** 0.5)
    return {"filter_radius": np.mean(radii)}


def filters(one):
    deviation = one.sample()[0].double().std(0).numpy()
    weight = one.one["weight1"].double().numpy()
    order = sorted(range(weight.shape[1]), key=lambda unit: -sum((weight[:, unit] * deviation) ** 2))
    return {"filters": [weight[:, unit].reshape(8, 8) for unit in order[:2]]}


def one_update(one):
    seen, unseen = one.sample(10, "train"), one.sample(10)
    learned = {n: v.clone().requires_grad_() for n, v in one.one.items() if n[:7] != "running"}

    def member(key):
        return factors_of(one.noise(members.Member(one.trained.noisy(key)), seen[0]))

    def loss(examples, key, weights):
        return F.cross_entropy(one.run(examples[0], member(key), one.one | weights)[0], examples[1])

    own = loss(seen, 1000, learned)
    own.backward()
    moved = {name: (value - 0.05 * value.grad).detach() for name, value in learned.items()}
    found = {"trained_improved": 100.0 * bool(loss(seen, 1000, moved) < loss(seen, 1000, {}))}
    for mark, examples in (("", seen), ("_unseen", unseen)):
        better = [bool(loss(examples, key, moved) < loss(examples, key, {})) for key in range(1001, 1005)]
        found[f"others_improved{mark}"] = 100 * np.mean(better)
    return found
