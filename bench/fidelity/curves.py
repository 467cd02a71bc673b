# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""From rows of a run to curves of damage over density, and the densities at which they reach a given damage."""
import dataclasses
import math

from .texts import READ


@dataclasses.dataclass(frozen=True)
class Target:
    """A damage: `measure` names a function below, `texts` whose samples it is the mean over; goal: a density to reach at
    8192 tokens, or None."""

    name: str
    measure: str
    texts: tuple
    value: float
    is_logarithmic: bool
    goal: float | None = None


TARGETS = (
    Target("KL 0.02", "kl", READ, 0.02, True, 0.27),
    Target("KL 0.01", "kl", READ, 0.01, True),
    Target("perplexity +1 %", "perplexity", READ, 0.01, True, 0.285),
    Target("answers' cross-entropy 1.2", "answers", ("facts",), 1.2, False, 0.26),
    Target("answers' cross-entropy +0.15", "answers_more", ("facts",), 0.15, False),
)
GOAL_LENGTH, GOAL_COST = 8192, 0.05


def _mean(values):
    values = list(values)
    return sum(values) / len(values)


# Each takes [(row, row of full attention)], one pair for a sample.
MEASURES = {
    "kl": lambda pairs: _mean(row["kl"] for row, _ in pairs),
    "perplexity": lambda pairs: math.expm1(_mean(row["cross_entropy"] - full["cross_entropy"] for row, full in pairs)),
    "answers": lambda pairs: _mean(row["answers"]["cross_entropy"] for row, _ in pairs),
    "answers_more": lambda pairs: _mean(row["answers"]["cross_entropy"] - full["answers"]["cross_entropy"]
                                        for row, full in pairs),
    "right": lambda pairs: _mean(row["answers"]["right"] for row, _ in pairs),
    "rank": lambda pairs: _mean(row["answers"]["rank"] for row, _ in pairs),
    "layer_error": lambda pairs: _mean(row["layer_error"] for row, _ in pairs),
    "density": lambda pairs: _mean(row["density"] for row, _ in pairs),
}


def crossing(points, target, is_logarithmic=False):
    """The density from which on a curve's damage stays at or below `target`: (relation, density).

    points: [(density, damage)]. Between points the damage is a straight line over the density, or its logarithm is, where
    damages below a hundredth of the target, noise which may be negative, count as that. The relation is "=", or "<" where
    the damage is at or below the target at all points, with the smallest density, or ">" where it is above at the largest
    density, with that. None without points.
    """
    points = sorted(points)
    if not points:
        return None
    above = [place for place, (_, damage) in enumerate(points) if damage > target]
    if not above:
        return "<", points[0][0]
    last = above[-1]
    if last == len(points) - 1:
        return ">", points[-1][0]
    (left, more), (right, less) = points[last], points[last + 1]
    if is_logarithmic:
        more, less, target = math.log(more), math.log(max(less, target / 100)), math.log(target)
    return "=", left + (right - left) * (more - target) / (more - less)


class Rows:
    """Rows of a report at one length."""

    def __init__(self, rows, length):
        self.rows = [row for row in rows if row["length"] == length]
        self.full = {(row["text"], row["seed"]): row for row in self.rows if row["method"] == "full"}

    def samples(self, texts):
        return [key for key in self.full if key[0] in texts]

    def methods(self):
        return [name for name in dict.fromkeys(row["method"] for row in self.rows) if name != "full"]

    def pairs(self, method, texts):
        """{value of the knob: [(row, full attention's)]}, where all samples of the texts were measured."""
        samples, found = self.samples(texts), {}
        for row in self.rows:
            if row["method"] == method and (row["text"], row["seed"]) in samples:
                found.setdefault(row["value"], []).append((row, self.full[row["text"], row["seed"]]))
        return {value: pairs for value, pairs in found.items() if len(pairs) == len(samples)}

    def curve(self, method, texts, measure, sample=None):
        """[(density, measure)] by density: means over all samples of the texts, or one sample's, a (text, seed)."""
        points = []
        for pairs in self.pairs(method, texts).values():
            some = [pair for pair in pairs if sample in (None, (pair[0]["text"], pair[0]["seed"]))]
            points.append((MEASURES["density"](some), MEASURES[measure](some)))
        return sorted(points)

    def reached(self, method, target):
        """(relation, density, [those of each sample]) of a target by the mean curve, or None."""
        found = crossing(self.curve(method, target.texts, target.measure), target.value, target.is_logarithmic)
        if found is None:
            return None
        each = [crossing(self.curve(method, target.texts, target.measure, sample), target.value, target.is_logarithmic)
                for sample in self.samples(target.texts)]
        return *found, each
