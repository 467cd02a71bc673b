# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""check_peers.py BENCH: checks what of bench/peers.py needs no GPU. Parts without their package are skipped, and say so."""
import importlib.util
import json
import pathlib
import secrets
import subprocess
import sys
import types
from unittest import mock

import numpy as np

bench = pathlib.Path(sys.argv[1])
sys.path.insert(0, str(bench))
import peers
import peers_lists
import peers_report

SEED = secrets.randbits(31)
print(f"seed {SEED}")
random = np.random.default_rng(SEED)


def missing(part, package):
    if importlib.util.find_spec(package):
        return False
    print(f"skipped: {part}: no module {package}")
    return True


def draw_layout():
    segment_blocks = int(random.integers(1, 5))
    return peers_lists.Layout(int(random.integers(1, 6)), segment_blocks * int(random.integers(1, 20)), segment_blocks,
                              bool(random.integers(2)))


def draw_share(layout):
    """A share that the layout can have: between its forced blocks and all."""
    first, end = layout.own()
    forced = layout.heads * (end - first).sum() / layout.causal_blocks()
    return float(random.uniform(min(forced, 1), 1))


def check_counts():
    """The counts of the free blocks come to the share, and never exceed the candidates."""
    for _ in range(200):
        layout = draw_layout()
        share = draw_share(layout)
        first, end = layout.own()
        forced = layout.heads * int((end - first).sum())
        possible = forced + layout.heads * int(first.sum())
        wanted = round(share * layout.causal_blocks())
        if not forced <= wanted <= possible:
            continue
        free = layout.free_counts(share)
        assert free.sum() + forced == wanted, (SEED, layout, share)
        assert (free >= 0).all() and (free <= first).all(), (SEED, layout, share)
        assert layout.free_counts(1).sum() + forced == possible, (SEED, layout)
    try:
        peers_lists.Layout(2, 64, 2, True).free_counts(0.01)
    except ValueError as error:
        assert "out of reach" in str(error)
    else:
        raise AssertionError("a share below the forced blocks was taken")


def check_lists():
    """Lists have the form of the plan's contract, hold the own segment, and the BlockMask lists the same."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    for _ in range(30):
        layout = draw_layout()
        share = draw_share(layout)
        try:
            expected = layout.free_counts(share)
        except ValueError:
            continue
        lists = peers_lists.random_lists(layout, share, "cpu", generator)
        counts, indices = lists.counts.numpy(), peers_lists.wide_indices(lists).numpy()
        first, end = layout.own()
        dense = np.zeros((layout.heads, layout.blocks, layout.blocks), bool)
        for head, row in np.ndindex(layout.heads, layout.blocks):
            whole, masked = counts[0, head, row]
            listed = indices[0, head, row]
            where = SEED, layout, share, head, row
            for part in (listed[:whole], listed[whole : whole + masked]):
                assert (np.diff(part) > 0).all(), where
            assert (listed[whole + masked :] == 65535).all(), where
            own = set(range(first[row], end[row]))
            assert set(listed[whole : whole + masked]) == (own if layout.permuted else {row}), where
            assert own <= set(listed[: whole + masked]), where
            assert whole + masked == expected[head, row] + len(own), where
            # No whole block holds a key that the query block's first row may not attend.
            assert (listed[:whole] < (first[row] if layout.permuted else row)).all(), where
            dense[head, row, listed[: whole + masked]] = True
        assert (peers_lists.listed_blocks(lists)[0].numpy() == dense).all(), SEED
        assert lists.listed == dense.sum() and lists.share == dense.sum() / layout.causal_blocks(), SEED
        if not layout.permuted:
            check_block_mask(lists, dense)
    # Uniform: each candidate of the last query block is as likely as another, here within six standard deviations.
    layout = peers_lists.Layout(4000, 12, 2, False)
    lists = peers_lists.random_lists(layout, 0.5, "cpu", generator)
    often = peers_lists.listed_blocks(lists)[0, :, -1, :10].sum(0).numpy()
    mean = often.mean()
    assert (abs(often - mean) < 6 * (mean * (1 - mean / 4000)) ** 0.5).all(), (SEED, often)


def check_cut():
    """Lists in blocks of another size list the same keys; those of every block have the causal ones, whole where all rows
    attend all keys."""
    import torch

    generator = torch.Generator().manual_seed(SEED)
    layout = peers_lists.Layout(2, 12, 2, False)
    lists = peers_lists.random_lists(layout, 0.6, "cpu", generator)
    halves = peers_lists.cut(lists, 12 * 128, 128, 64)
    expected = peers_lists.listed_blocks(lists).repeat_interleave(2, -1)
    assert (peers_lists.listed_blocks(halves) == expected).all() and halves.listed == 2 * lists.listed, SEED
    assert (halves.counts == 2 * lists.counts).all(), SEED
    try:
        peers_lists.cut(lists, 12 * 128, 192, 128)
    except ValueError as error:
        assert "cannot say" in str(error)
    else:
        raise AssertionError("blocks that do not fit were cut")
    length = int(random.integers(1, 1500))
    every = peers_lists.every_block(3, length, 192, 128, "cpu")
    listed = peers_lists.listed_blocks(every)[0, 2].numpy()
    rows, columns = listed.shape
    for row, column in np.ndindex(rows, columns):
        last = min(192 * (row + 1), length) - 1
        assert listed[row, column] == (128 * column <= last), (SEED, length, row, column)
        whole = list(peers_lists.wide_indices(every)[0, 2, row, : every.counts[0, 2, row, 0]])
        assert (column in whole) == (128 * column + 127 <= 192 * row), (SEED, length, row, column)


def check_block_mask(lists, listed):
    """Full and partial blocks of the mask allow exactly the causal pairs of the listed blocks."""
    block = 4
    mask = peers_lists.block_mask(lists, block)
    heads, blocks = listed.shape[:2]
    assert mask.BLOCK_SIZE == (block, block) and tuple(mask.shape[-2:]) == (blocks * block, blocks * block)
    assert (mask.to_dense()[0].numpy().astype(bool) == listed).all(), SEED
    position = np.arange(blocks * block)
    causal = position[:, None] >= position[None, :]
    for head in range(heads):
        allowed = np.zeros_like(causal)
        for row in range(blocks):
            rows = slice(row * block, (row + 1) * block)
            for number, indices, full in ((mask.kv_num_blocks, mask.kv_indices, False),
                                          (mask.full_kv_num_blocks, mask.full_kv_indices, True)):
                for column in indices[0, head, row, : number[0, head, row]].tolist():
                    columns = slice(column * block, (column + 1) * block)
                    tile = mask.mask_mod(0, head, position[rows, None], position[None, columns])
                    allowed[rows, columns] = True if full else tile
        expected = causal & listed[head].repeat(block, 0).repeat(block, 1)
        assert (allowed == expected).all(), SEED


class FakePlan:
    """Stands in for a Plan on a CPU: attention by the reference of the benchmark, or a prefill that lists every block."""

    def __init__(self, permuted, heads=2, kv_heads=1, head_dim=64, block=128, given=True):
        q, kv = ["B", heads, "N", head_dim], ["B", kv_heads, "N", head_dim]
        names = {"q": q, "k": kv, "v": kv}
        self.given, self.block = given, block
        self.entry = {"arguments": [{"name": name, "shape": shape} for name, shape in names.items()]}
        if given:
            self.entry["arguments"].append({"name": "counts", "shape": [], "contents": {"query_block": block, "key_block": block}})
        if permuted:
            self.entry["arguments"].append({"name": "permutation", "shape": [], "contents": {"segment": 256}})

    def shapes(self):
        return {argument["name"]: argument["shape"] for argument in self.entry["arguments"]}

    def bind(self, tensors):
        import peers_measure
        import torch

        outputs = {"out": torch.empty_like(tensors["q"])}
        listed = None
        if self.given:
            listed = peers_lists.listed_blocks(peers_lists.Lists(tensors["counts"], tensors["indices"], 0, 0))

        def attention():
            outputs["out"].copy_(peers_measure.reference(tensors, listed, self.block))

        _, heads, length, _ = tensors["q"].shape
        blocks = length // self.block
        attention.tensors = {"counts": torch.tensor([heads * blocks * (blocks + 1) // 2], dtype=torch.int32).view(torch.uint8)}
        before = [] if self.given else [("importance_log_sums", lambda: None), ("segment_sort", lambda: None)]
        return before + [("attention", attention)], outputs


class FakeEvent:
    """An event of a device that works as it is called."""

    def __init__(self, enable_timing):
        self.time = None

    def record(self):
        import time

        self.time = time.perf_counter()

    def elapsed_time(self, end):
        return 1e3 * (end.time - self.time)


def check_rows():
    """A run on the CPU with plans that stand in: every row is there, those that cannot run with their error."""
    import torch

    import peers_measure

    properties = types.SimpleNamespace(L2_cache_size=1 << 20, name="CPU", multi_processor_count=1, total_memory=1 << 30)
    fakes = {"Event": FakeEvent, "synchronize": lambda: None, "_sleep": lambda cycles: None, "memory_allocated": lambda: 0,
             "max_memory_allocated": lambda: 1 << 20, "reset_peak_memory_stats": lambda: None, "empty_cache": lambda: None,
             "get_device_properties": lambda index: properties, "get_device_capability": lambda index: (0, 0)}
    draw = lambda *shape: torch.randn(1, *shape).bfloat16()
    prefill_gpu = types.ModuleType("prefill_gpu")
    prefill_gpu.data_on_gpu = lambda shapes, length, seed: {name: draw(shapes[name][1], length, shapes[name][3]) for name in "qkv"}
    options = peers.parse(["--plans=none", "--lengths=1K,2K", "--shares=0.3,0.5,0.01", "--repeats=2", "--min-repeats=1",
                           "--json=rows.json", f"--seed={SEED}", "--skip=matmul"])
    attention = {"attention-none": FakePlan(False), "attention-none-w4k64": FakePlan(False),
                 "attention-per-query-head": FakePlan(True), "broken": OSError("no such\nplan")}
    # Uncompiled, FlexAttention forms every score and asks the mask of pairs only: lists do not show in its result.
    from torch.nn.attention import flex_attention

    with mock.patch.multiple(torch.cuda, **fakes), mock.patch.object(peers_measure, "DEVICE", "cpu"), \
            mock.patch.object(peers_measure, "kernel_names", lambda run: ["kernel"]), \
            mock.patch.dict(sys.modules, prefill_gpu=prefill_gpu), mock.patch.object(torch, "compile", lambda f, **_: f):
        flex_attention._FLEX_ATTENTION_DISABLE_COMPILE_DEBUG = True
        run = peers_measure.Bench(options)
        run.run(attention, {"prefill": FakePlan(False, given=False)})
    report = json.loads(pathlib.Path("rows.json").read_text())
    rows = {(row["length"], row["kernel"], row["mask"]): row for row in report["rows"]}
    assert len(rows) == len(report["rows"]), [row["kernel"] for row in report["rows"]]
    for length in (1024, 2048):
        for mask in ("dense", "30 %", "50 %", "1 %"):
            for kernel in ("attention-none", "attention-none-w4k64", "attention-per-query-head", "flex", "broken"):
                row = rows[length, kernel, mask]
                # Forced blocks alone are a third of 1024 keys' causal ones.
                if mask == "1 %" or (length, mask) == (1024, "30 %"):
                    assert "out of reach" in row["error"], row
                elif kernel == "broken":
                    assert row["error"] == "OSError: no such", row
                else:
                    assert row["milliseconds"] > 0 and row["tflops"] > 0, row
                    flash = rows[length, "torch flash", "dense"]["milliseconds"]
                    assert row["speedup_over_torch_flash"] == flash / row["milliseconds"], row
                    if length == 1024 and (kernel != "flex" or mask == "dense"):
                        assert row["correct"] and row.get("agrees_with_ours", True), row
                        assert kernel == "attention-none" or mask != "dense" or "agrees_with_ours" in row, row
        assert "error" in rows[length, "torch cuDNN", "dense"]
        assert ("gpu_kernels" in rows[length, "torch flash", "dense"]) == (length == 1024)
        assert "not installed" in rows[length, "pbs_attn", "own selection"]["error"], rows[length, "pbs_attn", "own selection"]
        prefill = rows[length, "prefill", "own selection"]
        assert prefill["share"] == 1 and set(prefill["stages"]) == {"importance", "sort", "attention"}, prefill
        assert rows[length, "prefill, attention", "own selection"]["tflops"] > 0
        assert rows[length, "attention-none", "dense"]["rate_by_our_dense"] == 1
    assert not torch.isnan(torch.tensor([row.get("block_error_to_reference") or 0.0 for row in rows.values()])).any()
    print(peers_report.table(report))


def synthetic():
    """A report as a run leaves it, with rows that failed."""
    rows = [{"kernel": "matmul 8192", "ours": False, "length": None, "mask": None, "milliseconds": 1.5, "milliseconds_min": 1.4,
             "milliseconds_max": 1.9, "repeats": 5, "tflops": 733.0}]
    for length in (8192, 16384):
        blocks = length // 128
        triangle = 32 * blocks * (blocks + 1) // 2
        for kernel, ours in (("attention-none", True), ("torch flash", False), ("flex", False), ("torch cuDNN", False)):
            for share in (1, 0.5, 0.1) if kernel in ("attention-none", "flex") else (1,):
                mask = "dense" if share == 1 else f"{100 * share:g} %"
                row = {"kernel": kernel, "ours": ours, "length": length, "mask": mask, "share": share,
                       "listed_blocks": share * triangle}
                if kernel == "torch cuDNN":
                    rows.append({**row, "error": "RuntimeError: No available kernel."})
                    continue
                milliseconds = float(random.uniform(1, 9))
                row.update(milliseconds=milliseconds, milliseconds_min=0.9 * milliseconds, milliseconds_max=1.1 * milliseconds,
                           warm_milliseconds=1.25 * milliseconds, repeats=5, peak_bytes=1 << 26, block_error_to_ours=0.004, correct=kernel != "flex")
                peers_report.add_rates(row, 32, 128, 128)
                rows.append(row)
        rows.append({"kernel": "attention-none-no-persist", "ours": True, "length": length, "mask": "10 %", "share": 0.1,
                     "milliseconds": 20.0, "milliseconds_min": 19.0, "milliseconds_max": 21.0, "repeats": 5})
        row = {"kernel": "prefill", "ours": True, "length": length, "mask": "own selection", "share": 0.6, "milliseconds": 3.0,
               "milliseconds_min": 2.9, "milliseconds_max": 3.1, "repeats": 5,
               "stages": {"importance": 0.25, "sort": 0.25, "attention": 2.0}}
        peers_report.add_stages(row)
        rows.append(row)
    peers_report.add_ratios(rows)
    where = {"gpu": "a GPU", "cuda": "13.0", "cudnn": 91000, "versions": {"torch": "2.9.0"}}
    shape = {"batch": 1, "heads": 32, "kv_heads": 8, "head_dim": 128, "dtype": "bf16", "block": 128, "segment": 256}
    return {"date": "2026-01-01", "environment": where, "shape": shape, "rows": rows, "wall_seconds": 1.0}


def check_report():
    """Rates and ratios are what their definitions say, and the command prints and draws them without a GPU."""
    report = synthetic()
    rows = {(row["length"], row["kernel"], row["mask"]): row for row in report["rows"]}
    ours, flash = rows[8192, "attention-none", "50 %"], rows[8192, "torch flash", "dense"]
    assert abs(ours["tflops"] * ours["milliseconds"] * 1e9 / (4 * 128**3 * ours["listed_blocks"]) - 1) < 1e-12
    assert abs(ours["warm_tflops"] / ours["tflops"] - 0.8) < 1e-12
    assert abs(flash["causal_tflops"] / flash["tflops"] - 8193 / 8320) < 1e-12
    assert ours["speedup_over_torch_flash"] == flash["milliseconds"] / ours["milliseconds"]
    dense = rows[8192, "attention-none", "dense"]
    assert ours["rate_by_our_dense"] == ours["tflops"] / dense["tflops"]
    assert rows[8192, "flex", "10 %"]["rate_by_our_dense"] == rows[8192, "flex", "10 %"]["tflops"] / dense["tflops"]
    slower = rows[8192, "attention-none", "10 %"]["milliseconds"] / 20
    (line,) = (line for line in peers_report.ablation(report["rows"]) if line.startswith("| attention-none | persist |"))
    assert line.split("|")[3].strip() == f"{slower:.2f}", (line, slower)
    prefill = rows[8192, "prefill", "own selection"]
    assert prefill["before_by_attention"] == 0.25 and abs(prefill["scaled"]["before_by_attention"] - 0.5) < 1e-12
    pathlib.Path("report.json").write_text(json.dumps(report))
    plot = [] if missing("plot", "matplotlib") else ["--plot=report.png"]
    result = subprocess.run([sys.executable, bench / "peers.py", "--from-json=report.json", *plot], capture_output=True, text=True)
    assert result.returncode == 0 and not result.stderr, result.stderr
    for piece in ("### N = 8192", "### N = 16384", "| torch cuDNN | dense | 100.0 | RuntimeError: No available kernel. |",
                  "733 TFLOP/s", "4.0e-03 ours **wrong**", "| 8192 | prefill | 60.0 | 0.250 | 0.250 | 2.000 | 25.0 | 50.0 |"):
        assert piece in result.stdout, (piece, result.stdout)
    for line in result.stdout.splitlines():
        if line.startswith("|") and "prefill" not in line and "before" not in line and line.count("|") != 12:
            assert line.startswith(("| ---: |", "| plan | off |", "| --- | --- |", "| attention-none | persist |")), line
    if plot:
        assert pathlib.Path("report.png").read_bytes().startswith(b"\x89PNG\r\n\x1a\n")
        (axes,) = peers_report.plot(report, "again.png").axes
        assert [text.get_text() for text in axes.get_xticklabels()] == ["8K", "16K"]
        drawn = {line.get_label(): list(line.get_ydata()) for line in axes.lines}
        expected = {"PBS, the whole prefill": ("prefill", "own selection"), "PyTorch's flash attention": ("torch flash", "dense"),
                    "FlexAttention": ("flex", "50 %")}
        assert drawn == {name: [rows[length, *row]["milliseconds"] for length in (8192, 16384)]
                         for name, row in expected.items()}, drawn
        names = [text for text in axes.texts if text.get_text().endswith(" ms")]
        assert {text.get_text() for text in axes.texts if text not in names} == {
            "selects 60 % of the blocks", "every block", "50 % of the blocks, which are given"}
        places = sorted(text.get_position()[1] for text in names)
        assert len(places) == 3 and min(high - low for low, high in zip(places, places[1:])) > 0.09, places


def check_arguments():
    assert peers.parse(["--plans=x", "--lengths=8K,12288"]).lengths == [8192, 12288]
    for bad in ([], ["--plans=x", "--from-json=y"], ["--plans=x", "--shares=1.5"], ["--plans=x", "--lengths=8Q"]):
        result = subprocess.run([sys.executable, bench / "peers.py", *bad], capture_output=True, text=True)
        assert result.returncode == 2 and "error:" in result.stderr, (bad, result.stderr)


check_arguments()
check_counts()
check_report()
if not missing("lists, block masks and rows", "torch"):
    check_lists()
    check_cut()
    check_rows()
