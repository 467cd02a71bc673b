# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rates, table and plot of bench/peers.py, from its rows alone: nothing here needs a GPU or PyTorch."""

FLASH = "torch flash"
OURS = "attention-none"
# Density to which the share of the stages before attention is scaled.
SCALED_SHARE = 0.3
INK, SOFT = "#1c2430", "#5d6875"


def add_rate(row, operations):
    """Adds TFLOP/s, in bursts and, where it was measured so, warm."""
    for state in ("", "warm_"):
        if row.get(f"{state}milliseconds"):
            row[f"{state}tflops"] = operations / row[f"{state}milliseconds"] / 1e9


def add_rates(row, heads, head_dim, block):
    """Adds TFLOP/s: over the tiles computed, diagonal ones counted whole, and for dense rows over attended pairs too."""
    if not row.get("listed_blocks") or not row.get("milliseconds"):
        return
    scale = 4 * head_dim / row["milliseconds"] / 1e9
    add_rate(row, 4 * head_dim * block * block * row["listed_blocks"])
    if row["mask"] == "dense":
        row["causal_tflops"] = scale * heads * row["length"] * (row["length"] + 1) / 2


def add_ratios(rows):
    """Adds to each row its speed by torch's dense flash attention, and its rate by our dense rate, both at its length.

    Our dense rate is that of the same plan, for peers and the prefill that of the first plan (its keys are in their own
    order).
    """
    found = {}
    for row in rows:
        if row["mask"] == "dense" and row.get("milliseconds"):
            found.setdefault((row["length"], row["kernel"]), row)
            if row["ours"]:
                found.setdefault((row["length"], None), row)
    for row in rows:
        flash = found.get((row["length"], FLASH))
        if flash and row.get("milliseconds"):
            row["speedup_over_torch_flash"] = flash["milliseconds"] / row["milliseconds"]
        dense = found.get((row["length"], row["kernel"] if row["ours"] else None)) or found.get((row["length"], None))
        if dense and row.get("tflops"):
            row["rate_by_our_dense"] = row["tflops"] / dense["tflops"]


def add_stages(row):
    """Adds to a prefill's row what its stages before attention take, in milliseconds and by attention's time, measured and
    with attention scaled to a share of SCALED_SHARE, the stages before it unchanged."""
    stages = row["stages"]
    attention = stages["attention"]
    row["before_attention_milliseconds"] = sum(stages.values()) - attention
    row["before_by_attention"] = row["before_attention_milliseconds"] / attention
    scaled = attention * SCALED_SHARE / row["share"]
    row["scaled"] = {"share": SCALED_SHARE, "attention_milliseconds": scaled,
                     "before_by_attention": row["before_attention_milliseconds"] / scaled}


def ablation(rows):
    """Lines of a table: what is left of a plan's speed when one pass is off, by length and blocks. Such a plan is named
    after the whole one, NAME-no-PASS."""
    times = {(row["kernel"], row["length"], row["mask"]): row["milliseconds"] for row in rows if row.get("milliseconds")}
    columns = list(dict.fromkeys((length, mask) for kernel, length, mask in times if "-no-" in kernel))
    lines = []
    for kernel in dict.fromkeys(kernel for kernel, *_ in times if "-no-" in kernel):
        whole, _, off = kernel.partition("-no-")
        cells = [text(times.get((whole, *column), 0) / times[kernel, *column]) if (kernel, *column) in times else ""
                 for column in columns]
        lines.append(f"| {whole} | {off} | " + " | ".join(cells) + " |")
    if lines:
        heads = [f"{length_name(length)}, {mask}" for length, mask in columns]
        lines = ["### Speed with one pass off, by that with all", "", f"| plan | off | {' | '.join(heads)} |",
                 "| --- | --- |" + " ---: |" * len(heads), *lines, ""]
    return lines


def text(value, digits=2, unit=1):
    return "" if value is None else f"{value / unit:.{digits}f}"


def verdicts(row):
    """What is wrong with a row's result."""
    return [words for key, words in (("correct", "wrong"), ("agrees_with_ours", "differs from ours")) if row.get(key) is False]


def progress(row):
    """One line on a row that has just been measured."""
    what = f"{row['length'] or '':>7} {row['kernel']:32} {row['mask'] or '':14}"
    if "error" in row:
        return f"{what} {row['error']}"
    wrong = "".join(f" {text.upper()}" for text in verdicts(row))
    return f"{what} {row['milliseconds']:9.3f} ms {text(row.get('tflops'), 0):>5} TFLOP/s{wrong}"


def stages_line(row):
    return "        " + ", ".join(f"{stage} {value:.3f} ms" for stage, value in row["stages"].items())


def length_name(length):
    return f"{length // 1024}K" if length % 1024 == 0 else str(length)


def lengths_of(rows):
    return sorted({row["length"] for row in rows if row["length"]})


def error_text(row):
    """Block errors of a row against ours and the reference, for the table."""
    errors = [f"{row[f'block_error_to_{name}']:.1e} {name}" for name in ("ours", "reference")
              if row.get(f"block_error_to_{name}") is not None]
    return ", ".join(errors) + "".join(f" **{words}**" for words in verdicts(row))


def table(report):
    """The report as Markdown: what it ran on, a table for each length, and one of the prefill's stages."""
    where, shape, rows = report["environment"], report["shape"], report["rows"]
    lines = [f"{where['gpu']}, {report['date']}, torch {where['versions'].get('torch')}, CUDA {where['cuda']}, "
             f"cuDNN {where['cudnn']}; B={shape['batch']}, {shape['heads']}/{shape['kv_heads']} heads, D={shape['head_dim']}, "
             f"{shape['dtype']}, causal; {report.get('wall_seconds', 0):.0f} s", ""]
    for row in rows:
        if row["length"] is None:
            rate = row.get("error") or f"{row['milliseconds']:.3f} ms, {row['tflops']:.0f} TFLOP/s"
            lines += [f"{row['kernel']}: {rate}", ""]
    for length in lengths_of(rows):
        lines += [f"### N = {length}", "",
                  "| kernel | blocks | share % | ms (min to max) | TFLOP/s of tiles | warm | TFLOP/s causal | times torch flash "
                  "| rate by our dense | MiB | worst block error to |",
                  "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
        for row in rows:
            if row["length"] != length:
                continue
            share = text(row.get("share"), 1, 0.01)
            if "milliseconds" not in row:
                lines.append(f"| {row['kernel']} | {row['mask']} | {share} | {row.get('error', '')[:100]} | | | | | | | |")
                continue
            cells = [row["kernel"], row["mask"], share,
                     f"{row['milliseconds']:.3f} ({row['milliseconds_min']:.3f} to {row['milliseconds_max']:.3f})",
                     *(text(row.get(name), 0) for name in ("tflops", "warm_tflops", "causal_tflops")),
                     text(row.get("speedup_over_torch_flash")), text(row.get("rate_by_our_dense")),
                     text(row.get("peak_bytes"), 0, 2**20), error_text(row)]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    lines += ablation(rows)
    staged = [row for row in rows if "before_by_attention" in row]
    if staged:
        names = list(dict.fromkeys(stage for row in staged for stage in row["stages"]))
        lines += ["### Stages of the prefill, ms", "",
                  f"| N | plan | share % | {' | '.join(names)} | before by attention % | % at a share of {SCALED_SHARE:.0%} |",
                  "| ---: | --- | ---: |" + " ---: |" * (len(names) + 2)]
        for row in staged:
            cells = [str(row["length"]), row["kernel"], text(row["share"], 1, 0.01),
                     *(text(row["stages"].get(name), 3) for name in names),
                     text(row["before_by_attention"], 1, 0.01), text(row["scaled"]["before_by_attention"], 1, 0.01)]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
    notes = dict.fromkeys(f"- {row['kernel']}: {row['note']}" for row in rows
                          if row.get("note") and "error" not in row)
    names = dict.fromkeys(f"- {row['kernel']}, {row['mask']}: `{kernel}`" for row in rows for kernel in row.get("gpu_kernels", ())
                          if not row["ours"])
    for title, found in (("Notes", notes), ("Kernels that ran", names)):
        if found:
            lines += [f"### {title}", "", *found, ""]
    return "\n".join(lines)


def plotted_series(rows):
    """The lines of the plot, each with what a reader calls it, the blocks it computes, its colour and its rows: the first plan
    of the whole algorithm, or where there is none our attention over about SCALED_SHARE of the blocks; the dense peers; and
    peers over the share of blocks next to that of ours."""
    timed = [row for row in rows if row["length"] and row.get("milliseconds")]

    def rows_of(kernel, mask="dense"):
        return [row for row in timed if (row["kernel"], row["mask"]) == (kernel, mask)]

    def next_to(kernel, share):
        """The mask of a kernel's rows, but dense ones where there are others, whose share is next to `share`."""
        masks = {row["mask"]: row["share"] for row in timed if row["kernel"] == kernel}
        sparse = {mask: part for mask, part in masks.items() if mask.endswith("%")} or masks
        return min(sparse, key=lambda mask: abs(sparse[mask] - share), default=None)

    def given(mask):
        return "every block" if mask == "dense" else f"{mask} of the blocks, which are given"

    series = []
    prefills = [row["kernel"] for row in timed if "stages" in row]
    share = SCALED_SHARE
    if prefills:
        ours = rows_of(prefills[0], "own selection")
        low, high = (f"{bound(row['share'] for row in ours):.0%}".replace("%", " %") for bound in (min, max))
        blocks = low if low == high else f"{low.removesuffix(' %')} to {high}"
        share = ours[-1]["share"]
        series.append(("PBS, the whole prefill", f"selects {blocks} of the blocks", "#0072b2", ours))
    elif mask := next_to(OURS, share):
        series.append(("PBS attention", given(mask), "#0072b2", rows_of(OURS, mask)))
    if prefills:
        series.append(("PyTorch's flash attention", "every block", "#808a95", rows_of(FLASH)))
    series.append(("cuDNN", "every block", INK, rows_of("torch cuDNN")))
    for name, kernel, color in (("FlashAttention-4", "FlashAttention-4", "#009e73"), ("FlexAttention", "flex", "#d55e00")):
        if mask := next_to(kernel, share):
            series.append((name, given(mask), color, rows_of(kernel, mask)))
    return [line for line in series if line[-1]]


def spread(places, distance):
    """The places, moved as little as keeps a distance between neighbours; in their order."""
    order = sorted(range(len(places)), key=places.__getitem__)
    moved = list(places)
    for _ in range(100):
        for low, high in zip(order, order[1:]):
            if (lack := distance - (moved[high] - moved[low])) > 0:
                moved[low] -= lack / 2
                moved[high] += lack / 2
    return moved


def plot(report, path):
    """Draws milliseconds over N, both logarithmic, a line for each of plotted_series with its name at its end."""
    import math

    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    where, shape, series = report["environment"], report["shape"], plotted_series(report["rows"])
    figure = Figure(figsize=(12, 6.75), dpi=100)
    axes = figure.subplots()
    figure.subplots_adjust(left=0.06, right=0.7, top=0.85, bottom=0.09)
    for name, _, color, rows in series:
        axes.plot([row["length"] for row in rows], [row["milliseconds"] for row in rows], color=color, marker="o", markersize=5,
                  linewidth=2.5 if color == "#0072b2" else 1.8, zorder=3 if color == "#0072b2" else 2, label=name)
    axes.set(xscale="log", yscale="log")
    lengths = lengths_of([row for *_, rows in series for row in rows])
    axes.set_xticks(lengths, [length_name(length) for length in lengths])
    bottom, top = axes.get_ylim()
    ticks = [digit * 10.0**power for power in range(-3, 6) for digit in (1, 2, 5)]
    ticks = [tick for tick in ticks if bottom <= tick <= top]
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.grid(color="#e3e7eb")
    axes.set_axisbelow(True)
    axes.spines[["top", "right"]].set_visible(False)
    axes.tick_params(colors=SOFT)
    axes.set_xlabel("tokens N", color=SOFT)

    # Names at the ends, apart from each other by the height of their two lines.
    def height(milliseconds):
        return math.log(milliseconds / bottom) / math.log(top / bottom)

    ends = [rows[-1] for *_, rows in series]
    places = spread([height(row["milliseconds"]) for row in ends], 0.1)
    for (name, blocks, color, _), row, place in zip(series, ends, places):
        axes.annotate(f"{name}: {row['milliseconds']:.3g} ms", (row["length"], row["milliseconds"]), (1.05, place),
                      textcoords="axes fraction", va="center", color=color, fontsize=11,
                      arrowprops={"arrowstyle": "-", "color": color, "linewidth": 0.6, "shrinkB": 4,
                                  "relpos": (0, 0.5)})
        axes.text(1.05, place - 0.036, blocks, transform=axes.transAxes, va="center", color=SOFT, fontsize=9)
    axes.set_ylim(bottom, top)
    figure.text(0.06, 0.93, f"Causal attention of a prefill on an {where['gpu']}, milliseconds", color=INK, fontsize=14)
    figure.text(0.06, 0.885, f"batch {shape['batch']}, {shape['heads']} query heads and {shape['kv_heads']} key heads of "
                f"{shape['head_dim']}, {shape['dtype']}; {report['date']}, PyTorch {where['versions'].get('torch')}",
                color=SOFT, fontsize=10)
    figure.savefig(path)
    return figure
