#!/usr/bin/python3
# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Draws the key blocks that one head selects without and with the permutation, side by side, as a PNG.

Both folders hold counts.npy and indices.npy, as pbs-run --dump-intermediates writes them.
"""
import argparse
import pathlib
import sys
from typing import NamedTuple

import matplotlib

matplotlib.use("Agg")
import numpy as np
from matplotlib.figure import Figure
from matplotlib.patches import Patch

UNLISTED, WHOLE, MASKED, UNREACHABLE = range(4)
NAMES = {WHOLE: "whole", MASKED: "masked", UNLISTED: "not listed", UNREACHABLE: "not reachable"}
# The colours of pbs-run --report.
COLORS = np.array([[220, 225, 231], [0, 114, 178], [230, 159, 0], [250, 251, 252]], np.uint8)
INK, SOFT = "#1c2430", "#5d6875"
PIXELS = (1600, 860)
DPI = 100


class Layout(NamedTuple):
    """Lengths, blocks and segment of an attention."""

    query_length: int
    key_length: int
    segment: int
    query_block: int = 128
    key_block: int = 128
    causal: bool = True

    @property
    def query_blocks(self):
        return -(-self.query_length // self.query_block)

    @property
    def key_blocks(self):
        return -(-self.key_length // self.key_block)

    def reachable(self):
        """For each query block the number of key blocks up to the end of its last own segment; not causal: all."""
        if not self.causal:
            return np.full(self.query_blocks, self.key_blocks)
        last_rows = np.minimum(np.arange(1, self.query_blocks + 1) * self.query_block, self.query_length) - 1
        segments = (last_rows + self.key_length - self.query_length) // self.segment + 1
        return np.minimum(segments * (self.segment // self.key_block), self.key_blocks)


def load_selection(folder):
    """Counts (B, Hq, Qb, 2) and indices (B, Hq, Qb, C) of a folder."""
    return tuple(np.load(pathlib.Path(folder) / f"{name}.npy") for name in ("counts", "indices"))


def block_states(counts, indices, layout):
    """The state of each block (Qb, Kb) from one head's counts (Qb, 2) and indices (Qb, C)."""
    if counts.shape != (layout.query_blocks, 2):
        raise ValueError(f"counts of a head have shape {counts.shape}, but {layout.query_length} queries "
                         f"in blocks of {layout.query_block} need {(layout.query_blocks, 2)}")
    if indices.ndim != 2 or len(indices) != layout.query_blocks:
        raise ValueError(f"indices of a head have shape {indices.shape}, but there are {layout.query_blocks} query blocks")
    if counts.min() < 0 or counts.sum(axis=1).max() > indices.shape[1]:
        raise ValueError(f"counts do not fit lists of {indices.shape[1]} blocks")
    states = np.full((layout.query_blocks, layout.key_blocks), UNLISTED, np.uint8)
    states[np.arange(layout.key_blocks) >= layout.reachable()[:, None]] = UNREACHABLE
    for row, ((whole, masked), listed) in enumerate(zip(counts, indices)):
        if whole + masked and listed[: whole + masked].max() >= layout.key_blocks:
            raise ValueError(f"query block {row} lists block {listed[: whole + masked].max()} of {layout.key_blocks}")
        states[row, listed[:whole]] = WHOLE
        states[row, listed[whole : whole + masked]] = MASKED
    return states


def share_computed(states, layout):
    """Listed blocks among the reachable ones."""
    return np.isin(states, (WHOLE, MASKED)).sum() / layout.reachable().sum()


def draw_panel(axes, states, layout, title, facts):
    rows, columns = states.shape
    box = axes.get_window_extent()
    shrinks = columns > box.width or rows > box.height
    axes.imshow(COLORS[states], extent=(0, columns, rows, 0), aspect="auto", zorder=1,
                interpolation="antialiased" if shrinks else "nearest")
    if columns <= 96 and rows <= 96:
        axes.vlines(np.arange(1, columns), 0, rows, color="white", linewidth=0.8, zorder=2)
        axes.hlines(np.arange(1, rows), 0, columns, color="white", linewidth=0.8, zorder=2)
    step = layout.segment // layout.key_block
    if box.width * step / columns >= 12:
        offset = layout.key_length - layout.query_length
        starts = np.arange(offset // layout.segment + 1, -(-layout.key_length // layout.segment)) * layout.segment
        style = dict(color=INK, alpha=0.3, linewidth=0.8, zorder=3)
        axes.vlines(np.arange(step, columns, step), 0, rows, **style)
        axes.hlines((starts - offset) / layout.query_block, 0, columns, **style)
    for ticks, length, set_ticks in ((axes.xaxis, columns, axes.set_xticks), (axes.yaxis, rows, axes.set_yticks)):
        every = 1
        while length / every > 9:
            every *= 2
        labels = np.arange(0, length, every)
        set_ticks(labels + 0.5, labels)
    axes.tick_params(length=0, labelsize=13, labelcolor=SOFT, pad=5)
    for side in axes.spines.values():
        side.set_color("#9aa5b1")
    axes.set_xlabel("key block", fontsize=15, color=INK, labelpad=7)
    axes.set_title(title, fontsize=20, color=INK, loc="left", pad=38, fontweight="bold")
    axes.annotate(facts, (0, 1), xytext=(0, 13), xycoords="axes fraction", textcoords="offset points", fontsize=14,
                  color=SOFT)


def make_figure(without, with_permutation, layout, errors=None, shares=None, head=None):
    """A figure with two panels, from (counts, indices) of one head each.

    `errors` are the two errors against full attention, `shares` the two shares of blocks computed if others than
    those of the lists are to be named (all heads', say).
    """
    figure = Figure(figsize=(PIXELS[0] / DPI, PIXELS[1] / DPI), dpi=DPI, facecolor="white")
    figure.subplots_adjust(left=0.055, right=0.985, top=0.865, bottom=0.155, wspace=0.09)
    panels = figure.subplots(1, 2)
    present = set()
    for i, (axes, lists) in enumerate(zip(panels, (without, with_permutation))):
        states = block_states(*lists, layout)
        share = share_computed(states, layout) if shares is None else shares[i]
        facts = f"{100 * share:.1f} % of the blocks computed"
        if errors is not None:
            facts += f",  error against full attention {errors[i]:.3g}"
        draw_panel(axes, states, layout, ("Without", "With")[i] + " the permutation", facts)
        present.update(np.unique(states))
    panels[0].set_ylabel("query block", fontsize=15, color=INK, labelpad=7)
    swatches = [Patch(facecolor=COLORS[state] / 255, edgecolor="#9aa5b1", linewidth=0.8, label=name)
                for state, name in NAMES.items() if state in present]
    legend = figure.legend(handles=swatches, loc="lower left", bbox_to_anchor=(0.047, 0.005), ncol=len(swatches),
                           frameon=False, fontsize=14, handlelength=1, handleheight=1, columnspacing=1.8)
    for text in legend.get_texts():
        text.set_color(INK)
    note = f"segments of {layout.segment} keys" + ("" if head is None else f",  head {head}")
    figure.text(0.985, 0.031, note, ha="right", fontsize=14, color=SOFT)
    return figure


def plot_selection(output, without, with_permutation, layout, errors=None, shares=None, head=None):
    """Writes the figure of make_figure() as a PNG."""
    figure = make_figure(without, with_permutation, layout, errors, shares, head)
    figure.savefig(output, format="png", dpi=DPI)


def parse_options():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("without", type=pathlib.Path, help="folder of the selection without the permutation")
    parser.add_argument("with_permutation", metavar="with", type=pathlib.Path, help="folder of the one with it")
    parser.add_argument("--out", type=pathlib.Path, required=True, help="PNG to write")
    parser.add_argument("--batch", type=int, default=0)
    parser.add_argument("--head", type=int, default=0)
    parser.add_argument("--query-length", type=int, help="the key length if not given")
    parser.add_argument("--key-length", type=int, required=True)
    parser.add_argument("--segment", type=int, default=256)
    parser.add_argument("--query-block", type=int, default=128)
    parser.add_argument("--key-block", type=int, default=128)
    parser.add_argument("--no-causal", dest="causal", action="store_false")
    parser.add_argument("--errors", type=float, nargs=2, help="against full attention, without and with")
    parser.add_argument("--shares", type=float, nargs=2, help="of blocks computed (default: this head's)")
    options = parser.parse_args()
    if options.query_length is None:
        options.query_length = options.key_length
    if min(options.query_length, options.segment, options.query_block, options.key_block) < 1:
        parser.error("lengths, blocks and segment must be positive")
    if options.query_length > options.key_length:
        parser.error(f"--query-length={options.query_length} exceeds --key-length={options.key_length}")
    if options.segment % options.key_block:
        parser.error(f"--segment={options.segment} is no multiple of --key-block={options.key_block}")
    return options


def main():
    options = parse_options()
    layout = Layout(options.query_length, options.key_length, options.segment, options.query_block, options.key_block,
                    options.causal)
    heads = []
    for folder in (options.without, options.with_permutation):
        try:
            counts, indices = load_selection(folder)
            if counts.ndim != 4 or indices.ndim != 4 or counts.shape[:2] != indices.shape[:2]:
                raise ValueError(f"counts and indices have shapes {counts.shape} and {indices.shape}")
            if counts.dtype.kind not in "iu" or indices.dtype.kind not in "iu":
                raise ValueError("counts and indices must be integers")
            if not (0 <= options.batch < counts.shape[0] and 0 <= options.head < counts.shape[1]):
                raise ValueError(f"has no batch {options.batch}, head {options.head} in {counts.shape[:2]}")
            head = counts[options.batch, options.head], indices[options.batch, options.head]
            block_states(*head, layout)
        except (OSError, EOFError, ValueError) as error:
            sys.exit(f"plot_selection.py: {folder}: {error}")
        heads.append(head)
    try:
        plot_selection(options.out, *heads, layout, options.errors, options.shares, options.head)
    except OSError as error:
        sys.exit(f"plot_selection.py: {error}")


if __name__ == "__main__":
    main()
