# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the model over samples with full and with block-sparse attention, and compares what it predicts.

All losses are in nats for each predicted token.
"""
import time

import torch

import pbs.transformers

from . import methods, model as models
from .attention import NAME, Pass


def first_predicted(length):
    """From this position on predictions count: before it most blocks are forced, whatever the method."""
    return length // 8


def rounded(value):
    """To four digits: there are many such figures in a report, which nobody calculates with."""
    return float(f"{value:.4g}")


class Model:
    """The model on a device, and what it predicts from the last hidden states."""

    def __init__(self, file, device, dtype):
        self.file, self.device = file, device
        self.network = models.build(file, NAME, device, dtype)
        self.layers = self.network.config.num_hidden_layers
        # Rows of logits at once: 49152 floats each.
        self.rows = 4096 if device == "cuda" else 512

    def set_length(self, length):
        return models.set_length(self.network, self.file.metadata, length)

    def hidden(self, tokens, what):
        """Hidden states after the last norm, (N, E), of a Pass over tokens (N)."""
        with what:
            states = self.network.model(tokens[None], use_cache=False).last_hidden_state[0]
        what.finish(len(tokens))
        return states

    def log_shares(self, states):
        """Hidden states (rows, E) -> log-probabilities (rows, vocabulary), float32."""
        return torch.log_softmax(self.network.lm_head(states).float(), -1)


def compare(model, tokens, states, reference, answers):
    """Losses of hidden states (N, E) of a sample's tokens (N), and how far they are from those of full attention.

    cross_entropy, kl (full attention's distribution against this one's) and same (the share of positions with the same
    likeliest token) over the positions from first_predicted() on; with answers (questions, digits) also what
    compare_answers() says.
    """
    begin, end = first_predicted(len(tokens)), len(tokens) - 1
    loss = kl = same = 0.0
    for start in range(begin, end, model.rows):
        rows = slice(start, min(start + model.rows, end))
        found = model.log_shares(states[rows])
        full = found if reference is states else model.log_shares(reference[rows])
        loss -= float(found.gather(1, tokens[rows.start + 1 : rows.stop + 1, None]).double().sum())
        kl += float((full.exp() * (full - found)).sum(-1).double().sum())
        same += int((full.argmax(-1) == found.argmax(-1)).sum())
    count = end - begin
    result = {"cross_entropy": loss / count, "kl": kl / count, "same": same / count}
    if answers is not None:
        places = torch.as_tensor(answers, device=tokens.device)
        result["answers"] = compare_answers(model.log_shares(states[places.flatten() - 1]), tokens[places])
    return result


def compare_answers(found, digits):
    """Log-probabilities (questions * digits, vocabulary) of the true digits (questions, digits), what came before them given.

    cross_entropy of a digit; right, the share of questions whose digits are all the likeliest tokens; rank of a digit's token
    among all (1: the likeliest), its mean; by_question: the cross-entropy of each question's digits.
    """
    truth = found.gather(1, digits.flatten()[:, None])
    ranks = (found > truth).sum(-1) + 1
    right = (ranks == 1).view(digits.shape).all(1)
    return {"cross_entropy": -float(truth.double().mean()), "right": float(right.double().mean()),
            "rank": float(ranks.double().mean()),
            "by_question": [rounded(-float(one)) for one in truth.double().view(digits.shape).mean(1)]}


class Run:
    """All rows of a run. options: layers, dtype of the kernels (a torch dtype), device of pbs (None or "emulator"), points
    of each sweep, seconds (none: no limit); say: what a progress line goes to."""

    def __init__(self, model, options, say=print):
        self.model, self.options, self.say = model, options, say
        self.start = time.monotonic()
        self.rows, self.skipped = [], []
        self.keep = lambda: None  # called after each method
        self._references = {}

    @property
    def is_late(self):
        return self.options.seconds is not None and time.monotonic() - self.start > self.options.seconds

    def _pass(self, method=None, settings=None):
        return Pass(method, settings, self.options.layers, self.options.torch_dtype, self.options.pbs_device)

    def _row(self, sample, method, value):
        """Measures one sample; full attention where the method is None."""
        began = time.monotonic()
        is_scaled = self.model.set_length(sample.length)
        tokens = torch.from_numpy(sample.tokens).to(self.model.device)
        what = self._pass(method, method and method.settings(value))
        states = self.model.hidden(tokens, what)
        reference = states if method is None else self._references[id(sample)]
        row = {"method": method.name if method else "full", "value": value, "text": sample.text, "seed": sample.seed,
               "length": sample.length, "scaled_rope": is_scaled}
        row |= compare(self.model, tokens, states, reference, sample.answers)
        if method is None:
            self._references[id(sample)] = states
        else:
            row["layer_densities"] = [rounded(what.densities[layer]) for layer in self.options.layers]
            row["layer_errors"] = [rounded(what.errors[layer]) for layer in self.options.layers]
            row["density"] = sum(what.densities.values()) / len(what.densities)
            row["layer_error"] = sum(what.errors.values()) / len(what.errors)
        row["seconds"] = time.monotonic() - began
        self.rows.append(row)
        self.say(progress(row))

    @torch.no_grad()
    def measure(self, samples, chosen):
        """Rows for samples and methods, shortest samples first; what time does not reach is in `skipped`."""
        for length in sorted({sample.length for sample in samples}):
            some = [sample for sample in samples if sample.length == length]
            for sample in some:
                if self.is_late:
                    return self._skip(f"{sample.length} tokens", "no time left")
                self._row(sample, None, None)
            for method in chosen:
                self._measure_method(some, method)
                self.keep()
            self._references.clear()

    def _measure_method(self, samples, method):
        reason = methods.why_not(method, pbs.transformers.configure)
        if method.is_oracle and self.model.device != "cuda":
            reason = "dense masks of all layers take too long on a CPU"
        if reason:
            return self._skip(method.name, reason)
        for value in methods.thin(method.values, self.options.points):
            for sample in samples:
                if self.is_late:
                    where = f" from {method.knob} = {value} on" if method.knob else ""
                    return self._skip(f"{method.name} at {sample.length} tokens{where}", "no time left")
                try:
                    self._row(sample, method, value)
                except pbs.Error as error:
                    return self._skip(method.name, str(error))

    def _skip(self, what, reason):
        if (what, reason) not in self.skipped:
            self.skipped.append((what, reason))
            self.say(f"skipped: {what}: {reason}")


def progress(row):
    """One line on a row that has just been measured."""
    line = f"{row['seconds']:6.1f} s  {row['method']:15} {'' if row['value'] is None else format(row['value'], '.4g'):7}"
    line += f" {row['text']:7} seed {row['seed']}  N {row['length']:6}"
    if "density" in row:
        line += f"  density {row['density']:.3f}  error {row['layer_error']:.3f}  KL {row['kl']:.5f}"
    line += f"  loss {row['cross_entropy']:.4f}"
    if "answers" in row:
        line += f"  answers {row['answers']['cross_entropy']:.3f}, {100 * row['answers']['right']:.0f} % right"
    return line
