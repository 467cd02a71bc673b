# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Rates, table and plot of bench/peers.py, from its rows alone: nothing here needs a GPU or PyTorch."""

FLASH = "torch flash"
# Density to which the share of the stages before attention is scaled.
SCALED_SHARE = 0.3
COLORS = ("#0072b2", "#56b4e9", "#009e73", "#8fbf4d", "#cc79a7", "#7b52ab", "#e69f00", "#8c564b")
PEER_COLORS = {"torch flash": "#1c2430", "torch cuDNN": "#76808c", "flex": "#d55e00", "pbs_attn": "#b8860b"}
INK, SOFT = "#1c2430", "#5d6875"


def add_rates(row, heads, head_dim, block):
    """Adds TFLOP/s: over the tiles computed, diagonal ones counted whole, and for dense rows over attended pairs too."""
    if not row.get("listed_blocks") or not row.get("milliseconds"):
        return
    scale = 4 * head_dim / row["milliseconds"] / 1e9
    row["tflops"] = scale * block * block * row["listed_blocks"]
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
                  "| kernel | blocks | share % | ms (min to max) | TFLOP/s of tiles | TFLOP/s causal | times torch flash "
                  "| rate by our dense | MiB | worst block error to |",
                  "| --- | --- | ---: | ---: | ---: | ---: | ---: | ---: | ---: | --- |"]
        for row in rows:
            if row["length"] != length:
                continue
            share = text(row.get("share"), 1, 0.01)
            if "milliseconds" not in row:
                lines.append(f"| {row['kernel']} | {row['mask']} | {share} | {row.get('error', '')[:100]} | | | | | | |")
                continue
            cells = [row["kernel"], row["mask"], share,
                     f"{row['milliseconds']:.3f} ({row['milliseconds_min']:.3f} to {row['milliseconds_max']:.3f})",
                     text(row.get("tflops"), 0), text(row.get("causal_tflops"), 0), text(row.get("speedup_over_torch_flash")),
                     text(row.get("rate_by_our_dense")), text(row.get("peak_bytes"), 0, 2**20), error_text(row)]
            lines.append("| " + " | ".join(cells) + " |")
        lines.append("")
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


def line_style(row, shares):
    """Dense solid, smaller shares the more broken, the prefill's own selection with long dashes."""
    if row["mask"] == "dense":
        return "-"
    if row["mask"] == "own selection":
        return (0, (8, 2))
    broken = ((0, (1, 1.5)), "--", "-.", (0, (3, 1, 1, 1, 1, 1)))
    return broken[shares.index(row["mask"]) % len(broken)]


def plot(report, path):
    """Draws speed by torch's dense flash attention, and TFLOP/s over the tiles computed, both over N."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib.figure import Figure

    left_out = (" again", ", one graph")
    rows = [row for row in report["rows"]
            if row["length"] and row.get("milliseconds") and not row["kernel"].endswith(left_out)]
    colors = dict(PEER_COLORS)
    for row in rows:
        if row["ours"] and row["kernel"] not in colors:
            colors[row["kernel"]] = COLORS[(len(colors) - len(PEER_COLORS)) % len(COLORS)]
    shares = list(dict.fromkeys(row["mask"] for row in rows if row["mask"] not in ("dense", "own selection")))
    figure = Figure(figsize=(16, 9), dpi=100)
    axes = figure.subplots(1, 2)
    series = {}
    for row in rows:
        series.setdefault((row["kernel"], row["mask"]), []).append(row)
    for axis, key, title in zip(axes, ("speedup_over_torch_flash", "tflops"),
                                ("Speed-up over torch's flash attention of every block", "TFLOP/s over the tiles computed")):
        for (kernel, mask), points in series.items():
            points = [row for row in points if row.get(key) is not None]
            if points:
                axis.plot([row["length"] for row in points], [row[key] for row in points], color=colors[kernel], marker="o",
                          linestyle=line_style(points[0], shares), label=f"{kernel}, {mask}", markersize=4)
        axis.set_xscale("log", base=2)
        lengths = lengths_of(rows)
        axis.set_xticks(lengths, [length_name(length) for length in lengths])
        axis.minorticks_off()
        axis.set_title(title, loc="left", color=INK)
        axis.set_xlabel("N", color=SOFT)
        axis.grid(alpha=0.25)
    axes[0].set_yscale("log", base=2)
    axes[0].yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    for row in report["rows"]:
        if row["length"] is None and row.get("tflops"):
            axes[1].axhline(row["tflops"], color=SOFT, linestyle=":", label=f"{row['kernel']} cubed")
    axes[1].set_ylim(bottom=0)
    labels = {}
    for axis in axes:
        labels.update(zip(*reversed(axis.get_legend_handles_labels())))
    columns = 5
    rows_of_labels = -(-len(labels) // columns)
    figure.subplots_adjust(left=0.04, right=0.99, top=0.92, bottom=0.09 + 0.022 * rows_of_labels, wspace=0.1)
    figure.legend(labels.values(), labels.keys(), loc="lower center", ncol=columns, fontsize=8, frameon=False)
    where = report["environment"]
    figure.suptitle(f"{where['gpu']}, torch {where['versions'].get('torch')}", x=0.01, ha="left", fontsize=10, color=SOFT)
    figure.savefig(path)
    return figure
