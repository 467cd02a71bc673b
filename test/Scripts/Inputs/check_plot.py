# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_plot.py SCRIPTS: draws selections at random, and reads the states of blocks back from the PNG's pixels."""
import pathlib
import secrets
import struct
import subprocess
import sys

import numpy as np

scripts = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(scripts))
import plot_selection
from matplotlib.image import imread

SEED = secrets.randbits(32)
print(f"seed {SEED}")
random = np.random.default_rng(SEED)


def draw_lists(batch, heads, layout):
    """Counts, indices and the states they mean; most lists keep to the reachable blocks."""
    shape = batch, heads, layout.query_blocks
    counts = np.zeros((*shape, 2), np.int32)
    indices = np.full((*shape, layout.key_blocks), 65535, np.uint16)
    states = np.zeros((*shape, layout.key_blocks), int)
    for at in np.ndindex(shape):
        end = layout.key_blocks
        if layout.causal:
            last = min((at[2] + 1) * layout.query_block, layout.query_length) - 1
            position = last + layout.key_length - layout.query_length
            end = min(end, (position // layout.segment + 1) * layout.segment // layout.key_block)
        states[at][end:] = plot_selection.UNREACHABLE
        blocks = random.permutation(layout.key_blocks if random.random() < 0.1 else end)
        whole = random.integers(0, len(blocks) + 1)
        masked = random.integers(0, len(blocks) - whole + 1)
        for state, first, count in ((plot_selection.WHOLE, 0, whole), (plot_selection.MASKED, whole, masked)):
            indices[at][first : first + count] = np.sort(blocks[first : first + count])
            states[at][blocks[first : first + count]] = state
        counts[at] = whole, masked
    return counts, indices, states


def read_states(png, figure, layout):
    """The states that the pixels at block centres of both panels show."""
    pixels = np.rint(imread(png)[..., :3] * 255).astype(int)
    result = []
    for axes in figure.axes:
        rows, columns = np.mgrid[0 : layout.query_blocks, 0 : layout.key_blocks]
        centres = np.stack([columns.ravel() + 0.5, rows.ravel() + 0.5], axis=1)
        x, y = axes.transData.transform(centres).T
        colors = pixels[pixels.shape[0] - 1 - y.astype(int), x.astype(int)]
        matches = (colors[:, None] == plot_selection.COLORS.astype(int)).all(axis=-1)
        assert (matches.sum(axis=1) == 1).all(), f"seed {SEED}: a block's centre has the colour of no state"
        result.append(matches.argmax(axis=1).reshape(layout.query_blocks, layout.key_blocks))
    return result


def texts_of(figure):
    return [axes.get_title(loc="left") for axes in figure.axes], [axes.texts[0].get_text() for axes in figure.axes]


def check(name, layout, batch=1, heads=2, **annotations):
    lists = [draw_lists(batch, heads, layout) for _ in range(2)]
    at = random.integers(batch), random.integers(heads)
    chosen = [(counts[at], indices[at]) for counts, indices, _ in lists]
    figure = plot_selection.make_figure(*chosen, layout, **annotations)
    plot_selection.plot_selection(f"{name}.png", *chosen, layout, **annotations)
    header = pathlib.Path(f"{name}.png").read_bytes()[:24]
    assert header.startswith(b"\x89PNG\r\n\x1a\n") and struct.unpack(">II", header[16:]) == plot_selection.PIXELS
    for found, (_, _, states) in zip(read_states(f"{name}.png", figure, layout), lists):
        assert (found == states[at]).all(), f"seed {SEED}: {name}"
    titles, facts = texts_of(figure)
    assert titles == ["Without the permutation", "With the permutation"]
    reachable = (layout.query_blocks * layout.key_blocks if not layout.causal else layout.reachable().sum())
    for i, (_, _, states) in enumerate(lists):
        listed = np.isin(states[at], (plot_selection.WHOLE, plot_selection.MASKED)).sum()
        share = annotations["shares"][i] if "shares" in annotations else listed / reachable
        assert f"{100 * share:.1f} % of the blocks" in facts[i], (SEED, facts[i], share)
        assert ("error" in facts[i]) == ("errors" in annotations)
        if "errors" in annotations:
            assert facts[i].endswith(f"{annotations['errors'][i]:.3g}"), facts[i]
    return lists, at


def run(*arguments):
    return subprocess.run([sys.executable, scripts / "plot_selection.py", *map(str, arguments)], capture_output=True,
                          text=True)


def check_command():
    """The command draws what the function draws, and refuses what it cannot draw in one line."""
    layout = plot_selection.Layout(300, 1100, 256)
    lists, at = check("function", layout, batch=2, errors=(0.0712, 0.0518), head=None)
    for folder, (counts, indices, _) in zip(("without", "with"), lists):
        pathlib.Path(folder).mkdir()
        np.save(f"{folder}/counts.npy", counts)
        np.save(f"{folder}/indices.npy", indices)
    options = "--query-length=300", "--key-length=1100", f"--batch={at[0]}", f"--head={at[1]}"
    result = run("without", "with", "--out=command.png", *options, "--errors", 0.0712, 0.0518)
    assert result.returncode == 0 and not result.stderr, result.stderr
    chosen = [(counts[at], indices[at]) for counts, indices, _ in lists]
    plot_selection.plot_selection("expected.png", *chosen, layout, errors=(0.0712, 0.0518), head=at[1])
    assert (imread("command.png") == imread("expected.png")).all()

    def refused(message, *arguments):
        result = run(*arguments)
        assert result.returncode == 1 and result.stderr.count("\n") == 1 and message in result.stderr, result.stderr
        assert not pathlib.Path("bad.png").exists()

    refused("has no batch 0, head 2 in (2, 2)", "without", "with", "--out=bad.png", *options[:2], "--head=2")
    refused("No such file", "without", "missing", "--out=bad.png", *options)
    refused("need (5, 2)", "without", "with", "--out=bad.png", "--query-length=600", "--key-length=1100")
    refused("No such file", "without", "with", "--out=missing/bad.png", *options)
    counts, indices, _ = lists[1]
    np.save("with/counts.npy", np.full_like(counts, 5))
    refused("with: counts do not fit lists of 9 blocks", "without", "with", "--out=bad.png", *options)
    np.save("with/counts.npy", np.full_like(counts, 1))
    np.save("with/indices.npy", np.full_like(indices, 9))
    refused("with: query block 0 lists block 9 of 9", "without", "with", "--out=bad.png", *options)
    np.save("with/indices.npy", indices.astype(np.float32))
    refused("with: counts and indices must be integers", "without", "with", "--out=bad.png", *options)
    pathlib.Path("with/counts.npy").write_bytes(b"")
    refused("with: ", "without", "with", "--out=bad.png", *options)


check("square", plot_selection.Layout(2048, 2048, 256), errors=(0.07123, 0.05), shares=(0.884, 0.6), head=1)
check("chunk", plot_selection.Layout(700, 2500, 512))
check("not-causal", plot_selection.Layout(1000, 1000, 256, causal=False))
check("single", plot_selection.Layout(1, 1, 256))
check("small-blocks", plot_selection.Layout(900, 1000, 256, 64, 64), errors=(0.1, 1e-5))
check("many-blocks", plot_selection.Layout(128 * 150, 128 * 150, 256))
check_command()
