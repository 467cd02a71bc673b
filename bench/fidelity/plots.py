# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Plots of a report, from its JSON alone: damage over density for each length, layers, and density over length."""
import dataclasses
import pathlib

from . import curves
from .report import is_scaled, length_name, lengths_of, methods_of
from .texts import READ

INK, SOFT, GRID = "#1c2430", "#5d6875", "#e3e7eb"
# Thick lines are what a talk is about; of these the samples are drawn too, as thin ones.
COLORS = {"pbs-attn": "#d55e00", "mean": "#808a95", "rows": "#009e73", "rows-64": "#0072b2", "oracle": INK}
OTHERS = ("#cc79a7", "#56b4e9", "#e69f00", "#9467bd", "#8c564b", "#bcbd22", "#17becf")
TALK = ("pbs-attn", "mean", "rows", "rows-64", "oracle")


@dataclasses.dataclass(frozen=True)
class Panel:
    """A measure over the density, for texts, times `factor`. Drawn are values from `low` to `high`, where these are given, or
    up to `above` more than full attention's."""

    file: str
    measure: str
    texts: tuple
    title: str
    factor: float = 1
    is_logarithmic: bool = False
    low: float | None = None
    high: float | None = None
    above: float | None = None


PANELS = (
    Panel("kl", "kl", READ, "KL to full attention, nats a token", is_logarithmic=True, low=1e-3, high=0.5),
    Panel("perplexity", "perplexity", READ, "perplexity above full attention's, %", 100, low=-0.5, high=8),
    Panel("answers", "answers", ("facts",), "cross-entropy of answers' digits, nats", above=1.5),
)


def colors(report):
    """A colour for each method with a curve, by name."""
    others = iter(OTHERS * 9)
    return {name: COLORS.get(name) or next(others) for name, method in methods_of(report).items() if method["knob"]}


def _is_thick(report, name):
    return name == "pbs-attn" or methods_of(report)[name]["recommended"]


def _style(report, name):
    """Options of a method's line."""
    thick = _is_thick(report, name)
    return {"color": colors(report)[name], "linestyle": "--" if methods_of(report)[name]["is_oracle"] else "-", "marker": "o",
            "markersize": 5 if thick else 3.5, "linewidth": 2.6 if thick else 1.5, "zorder": 3 if thick else 2}


def _subtitle(report, length=None):
    model, settings = report["model"], report["settings"]
    replaced = len(settings["layers"])
    which = "all layers" if replaced == model["layers"] else f"{replaced} of {model['layers']} layers"
    where = "" if length is None else f", N = {length}" + (" (scaled RoPE)" * is_scaled(report, length))
    texts = ", ".join(dict.fromkeys(sample["text"] for sample in report["samples"]))
    seeds = ", ".join(map(str, settings["seeds"]))
    return (f"{model['name']}, {which} by block-sparse attention{where}; {texts}, seeds {seeds}; "
            f"{report['environment']['device']}, {report['date']}")


def _finish(axes):
    axes.grid(color=GRID, which="both", linewidth=0.6)
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=SOFT, which="both")


def _draw_curves(axes, report, length, panel, names):
    """Curves of the named methods, and what full attention gives; handles by title."""
    rows, handles, full = curves.Rows(report["rows"], length), {}, None
    for name in names:
        points = rows.curve(name, panel.texts, panel.measure)
        if not points:
            continue
        style = _style(report, name)
        if _is_thick(report, name):
            for sample in rows.samples(panel.texts):
                some = rows.curve(name, panel.texts, panel.measure, sample)
                axes.plot([x for x, _ in some], [y * panel.factor for _, y in some], color=style["color"], linewidth=0.7,
                          alpha=0.3, zorder=1)
        line, = axes.plot([x for x, _ in points], [y * panel.factor for _, y in points], **style)
        handles[methods_of(report)[name]["title"]] = line
    if panel.measure == "answers" and rows.samples(panel.texts):
        full = curves.MEASURES["answers"]([(row, row) for row in rows.full.values() if row["text"] in panel.texts])
        axes.axhline(full, color=INK, linewidth=1, linestyle=":")
        axes.annotate("full attention", (0.01, full), xycoords=("axes fraction", "data"), va="bottom", color=SOFT, fontsize=9)
    if panel.measure == "kl" and (floor := rows.curve("dense", panel.texts, "kl")):
        axes.annotate(f"every block through the kernels: {floor[0][1]:.0e}", (0.01, 0.01), xycoords="axes fraction",
                      color=SOFT, fontsize=9)
    if length == curves.GOAL_LENGTH:
        goals = [(target.goal, target.value * panel.factor) for target in curves.TARGETS
                 if target.measure == panel.measure and target.goal]
        for x, y in goals:
            axes.plot(x, y, marker="*", markersize=13, color="#f0c000", markeredgecolor=INK, markeredgewidth=0.7, zorder=4,
                      linestyle="none")
    if panel.is_logarithmic:
        axes.set_yscale("log")
    _limit(axes, panel, full)
    axes.set_xlim(0, 1)
    axes.set_xlabel("density: computed blocks by causal blocks", color=SOFT)
    axes.set_title(panel.title, color=INK, fontsize=12, loc="left")
    _finish(axes)
    return handles


def _limit(axes, panel, full):
    """Cuts off what is far outside the region where curves differ, and no more than there is. full: full attention's."""
    low, high = axes.get_ylim()
    least, most = panel.low, panel.high
    if panel.above is not None and full is not None:
        least, most = full - 0.2 * panel.above, full + panel.above
    axes.set_ylim(low if least is None else max(low, least), high if most is None else min(high, most))


def _figure(width, height):
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    return Figure(figsize=(width, height), dpi=120)


def _legend(figure, handles, left, columns):
    figure.legend(handles.values(), handles.keys(), loc="lower left", bbox_to_anchor=(left, 0.01), ncol=columns, frameon=False,
                  fontsize=10, labelcolor=INK, handlelength=2.4, columnspacing=2, borderpad=0)


def talk(report, length, names, path):
    """The three panels beside each other."""
    rows = curves.Rows(report["rows"], length)
    panels = [panel for panel in PANELS if rows.samples(panel.texts)]
    figure = _figure(16, 7.6)
    every = figure.subplots(1, len(panels), squeeze=False)[0]
    lines = -(-len(names) // 3)
    figure.subplots_adjust(left=0.05, right=0.985, top=0.83, bottom=0.13 + 0.036 * lines, wspace=0.17)
    handles = {}
    for axes, panel in zip(every, panels):
        handles |= _draw_curves(axes, report, length, panel, names)
    _legend(figure, handles, 0.05, 3)
    figure.text(0.05, 0.94, "What a share of the blocks is worth", color=INK, fontsize=18)
    note = ". Thin lines: single samples" if any(_is_thick(report, name) for name in names) else ""
    stars = "; stars: goals" if length == curves.GOAL_LENGTH else ""
    figure.text(0.05, 0.9, _subtitle(report, length) + note + stars, color=SOFT, fontsize=11)
    figure.savefig(path)


def single(report, length, panel, names, path):
    """One panel with all methods."""
    figure = _figure(11, 7.2)
    axes = figure.subplots()
    lines = -(-len(names) // 2)
    figure.subplots_adjust(left=0.08, right=0.97, top=0.84, bottom=0.13 + 0.036 * lines)
    handles = _draw_curves(axes, report, length, panel, names)
    axes.set_title("", loc="left")
    _legend(figure, handles, 0.08, 2)
    figure.text(0.08, 0.94, panel.title[0].upper() + panel.title[1:], color=INK, fontsize=15)
    figure.text(0.08, 0.895, _subtitle(report, length), color=SOFT, fontsize=8.5)
    figure.savefig(path)


def layers(report, length, names, path):
    """Density and output error of each layer, of each method at its value whose KL is nearest 0.02. False where none is."""
    rows, chosen = curves.Rows(report["rows"], length), {}
    for name in names:
        pairs = rows.pairs(name, READ)
        if pairs:
            value = min(pairs, key=lambda one: abs(curves.MEASURES["kl"](pairs[one]) - 0.02))
            chosen[name] = value, [row for row, _ in pairs[value]]
    if not chosen:
        return False
    figure = _figure(13, 6.4)
    every = figure.subplots(1, 2)
    figure.subplots_adjust(left=0.06, right=0.98, top=0.82, bottom=0.13 + 0.036 * -(-len(chosen) // 2), wspace=0.13)
    handles = {}
    panels = (("layer_densities", "density"), ("layer_errors", "relative error of attention's output"))
    for axes, (key, title) in zip(every, panels):
        for name, (value, some) in chosen.items():
            means = [sum(figures) / len(some) for figures in zip(*(row[key] for row in some))]
            line, = axes.plot(report["settings"]["layers"], means, **_style(report, name))
            method = methods_of(report)[name]
            handles[f"{method['title']}; {method['knob']} = {value:g}"] = line
        axes.set_xlabel("layer", color=SOFT)
        axes.set_ylim(0)
        axes.set_title(title, color=INK, fontsize=12, loc="left")
        _finish(axes)
    _legend(figure, handles, 0.06, 2)
    figure.text(0.06, 0.93, "Layer by layer, at the KL nearest 0.02", color=INK, fontsize=15)
    figure.text(0.06, 0.885, _subtitle(report, length), color=SOFT, fontsize=9)
    figure.savefig(path)
    return True


def over_length(report, names, path):
    """Density at KL 0.02 over the length. False where there is one length only."""
    target, lengths = curves.TARGETS[0], lengths_of(report)
    lines = {}
    for name in names:
        found = [(length, curves.Rows(report["rows"], length).reached(name, target)) for length in lengths]
        points = [(length, one[1]) for length, one in found if one and one[0] == "="]
        if len(points) > 1:
            lines[name] = points
    if not lines:
        return False
    figure = _figure(11, 7.2)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.08, right=0.97, top=0.84, bottom=0.13 + 0.036 * -(-len(lines) // 2))
    handles = {}
    for name, points in lines.items():
        line, = axes.plot([x for x, _ in points], [y for _, y in points], **_style(report, name))
        handles[methods_of(report)[name]["title"]] = line
    axes.set_xscale("log", base=2)
    axes.set_xticks(lengths, [length_name(one) + ("\nscaled RoPE" * is_scaled(report, one)) for one in lengths])
    axes.minorticks_off()
    axes.set_ylim(0)
    axes.set_xlabel("tokens N", color=SOFT)
    _finish(axes)
    _legend(figure, handles, 0.08, 2)
    figure.text(0.08, 0.94, f"Density at {target.name}, over the length", color=INK, fontsize=15)
    figure.text(0.08, 0.895, _subtitle(report), color=SOFT, fontsize=8.5)
    figure.savefig(path)
    return True


def draw(report, folder):
    """Writes all plots that the report has figures for into a folder; their paths."""
    folder, paths = pathlib.Path(folder), []
    folder.mkdir(parents=True, exist_ok=True)
    every = [name for name in colors(report)]
    for length in lengths_of(report):
        rows = curves.Rows(report["rows"], length)
        measured = [name for name in every if name in rows.methods()]
        if not measured:
            continue
        end = length_name(length)
        main = [name for name in measured if name in TALK] or measured
        paths.append(folder / f"talk-{end}.png")
        talk(report, length, main, paths[-1])
        for panel in PANELS:
            if rows.samples(panel.texts):
                paths.append(folder / f"{panel.file}-{end}.png")
                single(report, length, panel, measured, paths[-1])
        if layers(report, length, main, folder / f"layers-{end}.png"):
            paths.append(folder / f"layers-{end}.png")
    if over_length(report, every, folder / "lengths.png"):
        paths.append(folder / "lengths.png")
    return paths
