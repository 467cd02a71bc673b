# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Tables of a report, from its JSON alone."""
import dataclasses

from . import curves
from .texts import READ


def length_name(length):
    return f"{length // 1024}K" if length % 1024 == 0 else str(length)


def percent(share, digits=1):
    return f"{100 * share:.{digits}f} %"


def lengths_of(report):
    return sorted({row["length"] for row in report["rows"]})


def is_scaled(report, length):
    return any(row["scaled_rope"] for row in report["rows"] if row["length"] == length)


def methods_of(report):
    return {method["name"]: method for method in report["methods"]}


def _length(report, length):
    return length_name(length) + " tokens" + ", scaled RoPE" * is_scaled(report, length)


def what_ran(report):
    """Lines on what the figures are of."""
    where, model, settings = report["environment"], report["model"], report["settings"]
    layers = settings["layers"]
    which = "all" if len(layers) == model["layers"] else f"{len(layers)} of {model['layers']}"
    texts = dict.fromkeys(sample["text"] for sample in report["samples"])
    return [f"{model['name']} ({model['quantisation']}; {model['package']}, {model['licence']}), {which} layers replaced, "
            f"{model['q_heads']}/{model['kv_heads']} heads, D={model['head_dim']}; model in {settings['model_dtype']}, "
            f"q, k and v of the kernels in {settings['dtype']}; {where['device']}, {report['date']}, "
            f"torch {where['versions']['torch']}, transformers {where['versions']['transformers']}.",
            f"Texts: {', '.join(texts)}; seeds {', '.join(map(str, settings['seeds']))}, one window, or one list, of each text "
            "for each seed."]


def _reached(found):
    if found is None:
        return ""
    relation, density, each = found
    text = {"=": "", "<": "below ", ">": "above "}[relation] + f"{density:.3f}"
    if len(each) < 2:
        return text
    low, high = (pick(each, key=lambda one: one[1]) for pick in (min, max))
    bound = {"=": "", "<": "<", ">": ">"}
    return f"{text} ({bound[low[0]]}{low[1]:.3f} to {bound[high[0]]}{high[1]:.3f})"


def _kl(value):
    return f"{value:.4f}" if value >= 1e-3 else f"{value:.1e}"


def _table(heads, rows):
    return ["| " + " | ".join(heads) + " |", "| --- |" + " ---: |" * (len(heads) - 1),
            *("| " + " | ".join(row) + " |" for row in rows), ""]


def density_table(report, length):
    """Densities at equal damage, a row for each method that has a curve."""
    rows, methods = curves.Rows(report["rows"], length), methods_of(report)
    targets = [target for target in curves.TARGETS if rows.samples(target.texts)]
    lines = []
    for name in rows.methods():
        if methods[name]["knob"] is None:
            continue
        cost = methods[name]["score_cost"][str(length)]
        title = methods[name]["title"] + (" **(recommended)**" if methods[name]["recommended"] else "")
        lines.append([title, "" if cost is None else percent(cost), *(_reached(rows.reached(name, one)) for one in targets)])
    if length == curves.GOAL_LENGTH:
        lines.append(["*goal of the recommended one*", f"at most {percent(curves.GOAL_COST, 0)}",
                      *("" if target.goal is None else str(target.goal) for target in targets)])
    if not lines:
        return []
    return [f"### {_length(report, length)}: density at equal damage", "",
            *_table(["method", "score cost", *(target.name for target in targets)], lines)]


def text_table(report, length):
    """Density at the first target in each text by itself."""
    rows, methods, first = curves.Rows(report["rows"], length), methods_of(report), curves.TARGETS[0]
    texts = [text for text in READ if rows.samples((text,))]
    if len(texts) < 2:
        return []
    targets = [dataclasses.replace(first, texts=(text,)) for text in texts]
    lines = [[methods[name]["title"], *(_reached(rows.reached(name, target)) for target in targets)]
             for name in rows.methods() if methods[name]["knob"]]
    return [f"### {_length(report, length)}: density at {first.name}, text by text", "", *_table(["method", *texts], lines)]


def _loss(row):
    words = f"loss {row['cross_entropy']:.3f}"
    if "answers" in row:
        answers = row["answers"]
        words += (f", answers {answers['cross_entropy']:.3f}, {percent(answers['right'], 0)} right, "
                  f"rank {answers['rank']:.1f}")
    return words


def baseline(report, length):
    """Lines on full attention, and on every block through the kernels: the floor of what a method can reach."""
    rows, methods = curves.Rows(report["rows"], length), methods_of(report)
    every = (f"{text} seed {seed} {_loss(row)}" for (text, seed), row in rows.full.items())
    lines = [f"Full attention: {'; '.join(every)}."]
    for name in rows.methods():
        if methods[name]["knob"] is not None:
            continue
        texts = {row["text"] for row in rows.rows}
        for pairs in rows.pairs(name, texts).values():
            read = [pair for pair in pairs if pair[0]["text"] in READ] or pairs
            floor = {measure: curves.MEASURES[measure](read) for measure in ("density", "kl", "perplexity", "layer_error")}
            lines.append(f"Floor, {methods[name]['title']} through the kernels: density {floor['density']:.3f}, "
                         f"KL {floor['kl']:.2g}, perplexity {100 * floor['perplexity']:+.3f} %, "
                         f"layer error {floor['layer_error']:.2g}.")
    return [*lines, ""]


def points_table(report, length):
    """Every point: means over samples, and the range over samples of the KL."""
    rows, methods = curves.Rows(report["rows"], length), methods_of(report)
    groups = [(texts, label) for texts, label in ((READ, "texts"), (("facts",), "facts"), (("needle",), "needle"))
              if rows.samples(texts)]
    lines = []
    for name in rows.methods():
        found = [rows.pairs(name, texts) for texts, _ in groups]
        for value in dict.fromkeys(value for pairs in found for value in pairs):
            cells = []
            for (_, label), by_value in zip(groups, found):
                pairs = by_value.get(value)
                cells += _cells(label, pairs) if pairs else [""] * len(_HEADS[label])
            knob = methods[name]["knob"]
            lines.append([name, f"{knob} = {value:g}" if knob else "", *cells])
    heads = [head for _, label in groups for head in _HEADS[label]]
    return [f"### {_length(report, length)}: every point", "",
            *_table(["method", "", *heads], lines)]


_HEADS = {"texts": ("density", "KL", "its range", "perplexity", "layer error"),
          "facts": ("density, facts", "answers' cross-entropy", "right"),
          "needle": ("density, needle", "needles' cross-entropy", "needles right", "rank")}


def _cells(label, pairs):
    value = {name: measure(pairs) for name, measure in curves.MEASURES.items()
             if label != "texts" or name not in ("answers", "answers_more", "right", "rank")}
    if label == "texts":
        each = [row["kl"] for row, _ in pairs]
        return [f"{value['density']:.3f}", _kl(value["kl"]), f"{_kl(min(each))} to {_kl(max(each))}",
                f"{100 * value['perplexity']:+.2f} %", f"{value['layer_error']:.3f}"]
    cells = [f"{value['density']:.3f}", f"{value['answers']:.3f}", percent(value['right'], 0)]
    return cells if label == "facts" else [*cells, f"{value['rank']:.1f}"]


def verdict(report):
    """Lines on the goals, where all layers were replaced and the recommended method was measured at their length."""
    if len(report["settings"]["layers"]) != report["model"]["layers"]:
        return []
    rows = curves.Rows(report["rows"], curves.GOAL_LENGTH)
    lines = []
    for name, method in methods_of(report).items():
        if not method["recommended"] or name not in rows.methods():
            continue
        cost = method["score_cost"][str(curves.GOAL_LENGTH)]
        words = [f"score cost {percent(cost)}, goal {percent(curves.GOAL_COST, 0)}: " + _judge(cost <= curves.GOAL_COST)]
        for target in curves.TARGETS:
            if target.goal is not None and (found := rows.reached(name, target)):
                relation, density, _ = found
                is_reached = density <= target.goal if relation != ">" else False
                # A curve that begins beyond the goal says nothing about it.
                words.append(f"{target.name} at {_reached((relation, density, []))}, goal {target.goal}: "
                             + ("not known" if relation == "<" and not is_reached else _judge(is_reached)))
        lines.append(f"Goals for {name}: " + "; ".join(words) + ".")
    return lines


def _judge(is_reached):
    return "reached" if is_reached else "**not reached**"


def tables(report):
    """The whole report as Markdown."""
    lines = [*what_ran(report), ""]
    for length in lengths_of(report):
        lines += [*density_table(report, length), *text_table(report, length), *baseline(report, length)]
    lines += verdict(report)
    lines += ["", "Densities: area of the computed blocks by that of the causal blocks of 128, from which on a method's curve "
              "stays at or below the damage; of means over samples, in brackets the least and the greatest of single samples. "
              "Score cost: products by those of full causal attention.", ""]
    for length in lengths_of(report):
        lines += points_table(report, length)
    if report["skipped"]:
        lines += ["### Skipped", "", *(f"- {what}: {reason}" for what, reason in report["skipped"]), ""]
    return "\n".join(lines)
