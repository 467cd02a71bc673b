# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Runs the whole algorithm on the emulator where its rules are sharp: ties, extremes, borders, no finite values.

A case compiles once and launches many inputs. Each group runs by its name; a failure prints the seed, and --seed
repeats it.
"""
import argparse
import pathlib
import subprocess
import sys
import tempfile

import numpy as np

import algorithm
import algorithm_case
import judges
from algorithm import twin
from harness import draw_seed

BASE = {"heads": (2, 1), "head_dim": 64, "dtype": "bf16", "query_block": 64, "key_block": 64, "segment": 128,
        "permutation": "per-query-head", "rule": "top-p=0.9", "score": "pooled=mean", "causal": True, "window": "none",
        "capacity": "none", "scale": "default", "chip": "sm_80", "batch": 1, "keys": "one", "queries": "all",
        "region": "none", "shapes": "dynamic", "data": "normal"}


class Program:
    """A compiled configuration that returns all it computes, and the failures of its launches."""

    def __init__(self, failures, random, window=None, capacity=None, returned="scores", **row):
        self.failures, self.random = failures, random
        self.case = algorithm.configure({**BASE, **row}, random)
        self.case.window, self.case.capacity = window, capacity
        self.folder = tempfile.TemporaryDirectory()
        plain = algorithm.generate(self.case)
        names = algorithm_case.RETURNED[returned] + algorithm_case.NEEDED
        module, self.results = algorithm_case.returning(plain, names)
        subprocess.run(["pbs-compile", "-", "-o", f"{self.folder.name}/program.ptx", f"--chip={self.case.chip}"],
                       input=module, text=True, check=True)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.folder.cleanup()

    def fail(self, *faults):
        case = self.case
        self.failures += [f"{' '.join(algorithm.flags(case))} --chip={case.chip}, {case.query_length} queries, "
                          f"{case.key_length} keys: {fault}" for fault in faults]

    def resize(self, queries, keys):
        case = self.case
        case.query_length, case.key_length = queries, keys
        case.geometry = twin.Geometry(queries, keys, case.query_block, case.key_block, case.segment, case.causal,
                                      case.window)

    def inputs(self, queries, keys):
        self.resize(queries, keys)
        return list(algorithm.inputs(self.case, self.random))

    def launch(self, inputs):
        folder = pathlib.Path(self.folder.name)
        command = ["pbs-launch", str(folder / "program.plan.json")]
        for name, array in zip("qkv", inputs):
            np.save(folder / f"argument_{name}.npy", array)
            command.append(f"--arg={folder}/argument_{name}.npy")
        command += [f"--result={folder / name}.npy" for name in self.results]
        subprocess.run(command, check=True, timeout=300)
        return {name: np.load(folder / f"{name}.npy") for name in self.results}

    def run(self, inputs):
        """The results, judged."""
        found = self.launch(inputs)
        self.fail(*algorithm_case.judge(found, *inputs, self.case))
        return found

    def expect_lists(self, found, listed, why):
        """Exactly these blocks are listed."""
        expected_lists = twin.lists(listed, self.case.geometry, found.get("permutation"), self.case.capacity)
        for name, expected in zip(("counts", "indices"), expected_lists):
            if not np.array_equal(found[name], expected):
                self.fail(f"{why}: {name} are {found[name].tolist()}, expected {expected.tolist()}")

    def expect_sets(self, permutation, expected, why):
        """Each key block holds exactly these keys."""
        starts = range(0, self.case.key_length, self.case.key_block)
        for start in starts:
            part = slice(start, start + self.case.key_block)
            if not np.array_equal(np.sort(permutation[..., part]), np.sort(expected[..., part])):
                self.fail(f"{why}: the block from {start} holds other keys")


def some(random, count, choices):
    """So many of the choices: each run takes others, so that runs stay short."""
    return [choices[index] for index in random.permutation(len(choices))[:count]]


def equal_keys(failures, random):
    """Keys of equal importance keep their order."""
    for permutation in ("per-query-head", "per-kv-head"):
        with Program(failures, random, permutation=permutation, segment=256) as program:
            for keys in (512, 700):
                q, k, v = program.inputs(keys, keys)
                k[...] = k[:, :, :1]
                found = program.run([q, k, v])
                program.expect_sets(found["permutation"], np.broadcast_to(np.arange(keys), found["permutation"].shape),
                                    "equal keys")
                # Two kinds of keys: the more important ones first, each kind in its order.
                kind = random.random(keys) < 0.3
                k[:, :, kind] = 0
                q[...] = np.abs(q)
                k[:, :, ~kind] = 1
                found = program.run([q, k, v])
                order = twin.segment_sort(np.broadcast_to(1.0 * ~kind, found["permutation"].shape), 256)
                program.expect_sets(found["permutation"], order, "two kinds of keys")


def equal_scores(failures, random):
    """Blocks of equal score are taken by index."""
    for causal in (True, False):
        for rule in some(random, 2, ["top-k=2", "top-p=0.45", "top-p=0.33"]):
            with Program(failures, random, permutation="none", rule=rule, causal=causal) as program:
                # Of 1 to 8 blocks none sums to p: the nearest, 4/9 of 9 blocks, is never met.
                for keys in (128 * 5, 128 * 4 + 37):
                    q, k, v = program.inputs(keys, keys)
                    geometry = program.case.geometry
                    q[...] = 0
                    found = program.run([q, k, v])
                    candidates = geometry.candidates()
                    scores = np.where(candidates, 1 / np.maximum(candidates.sum(axis=-1), 1)[:, None], 0)
                    scores = np.broadcast_to(scores, found["scores"].shape)
                    program.expect_lists(found, twin.select(scores, geometry, None, program.case.take), "equal scores")


def one_block(failures, random):
    """All mass in one block: it is taken and no other."""
    for pooling in ("mean", "max"):
        for rule in some(random, 2, ["top-p=0.5", "top-p=0.9", "top-k=1"]):
            with Program(failures, random, rule=rule, pooling=pooling, permutation="none", causal=False) as program:
                q, k, v = program.inputs(700, 700)
                # Its keys look as all queries do.
                block = int(random.integers(2, 9))
                q = algorithm.round_to(0.1 * q + 4, "bf16")
                k = algorithm.round_to(0.1 * k, "bf16")
                k[:, :, block * 64 : block * 64 + 64] += 4
                k = algorithm.round_to(k, "bf16")
                found = program.run([q, k, v])
                geometry = program.case.geometry
                scores = np.broadcast_to(1.0 * (np.arange(geometry.key_blocks) == block), found["scores"].shape)
                # A query block of its segment has another best block, whose scores are its own.
                scores = np.where(geometry.own()[:, block][:, None], found["scores"], scores * geometry.candidates())
                program.expect_lists(found, twin.select(scores, geometry, None, program.case.take), "one block")


def shares(failures, random):
    """p = 0 lists what is forced, p = 1 what may be attended; top-p lies between."""
    for permutation in some(random, 1, ["none", "per-query-head", "per-kv-head"]):
        blocks = {}
        for p in ("0", "0.5", "0.9", "1"):
            state = np.random.default_rng(1)
            with Program(failures, random, rule=f"top-p={p}", permutation=permutation) as program:
                program.random = state
                found = program.run(program.inputs(650, 650))
                geometry = program.case.geometry
                positions = geometry.positions(found.get("permutation"), 2)
                attendable = np.broadcast_to(twin.attendable(geometry, positions), (1, 2) + geometry.own().shape)
                if p == "0":
                    program.expect_lists(found, twin.forced(geometry, positions) & attendable, "p = 0")
                if p == "1":
                    program.expect_lists(found, attendable, "p = 1")
                blocks[p] = int(found["counts"].sum())
        if not blocks["0"] < blocks["0.5"] < blocks["0.9"] < blocks["1"]:
            failures.append(f"{permutation}: p decides about {blocks} blocks")


def capacity(failures, random):
    """The number of query blocks that lose blocks, exactly."""
    for window, causal, room in [(None, True, 6)] + some(
            random, 1, [(None, False, 6), (200, True, 5), (200, False, 9)]):
        with Program(failures, random, rule="all", capacity=room, window=window, causal=causal, batch=2) as program:
            for queries, keys in ((700, 700), (333, 900), (1, 640), (100, 300)):
                found = program.run(program.inputs(queries, keys))
                geometry = program.case.geometry
                positions = geometry.positions(found["permutation"], 2)
                attendable = np.broadcast_to(twin.attendable(geometry, positions), found["scores"].shape)
                cut = (attendable.sum(axis=-1) > room).sum(axis=-1)
                if not np.array_equal(found["cut"], cut):
                    program.fail(f"cut is {found['cut'].tolist()}, expected {cut.tolist()}")
                if (queries, keys, window) == (700, 700, None) and not cut.all():
                    program.fail("nothing to cut")


def lengths(failures, random):
    """From one key to several segments, on each side of every border."""
    for chip, query_block, key_block, segment, permutation in (
            ("sm_80", 64, 64, 128, "per-query-head"), ("sm_90a", 128, 128, 128, "per-kv-head"),
            ("sm_90a", 128, 64, 64, "none")):
        with Program(failures, random, chip=chip, query_block=query_block, key_block=key_block, segment=segment,
                     permutation=permutation, rule="top-p=0.5", returned="needed") as program:
            borders = [1, 63, 64, 65, 127, 128, 129, 255, 256, 257, 383, 385]
            for keys in borders + [2, int(random.integers(2, 400)), int(random.integers(400, 600))]:
                program.run(program.inputs(keys, keys))


def chunks(failures, random):
    """The last queries only: every kind of first position, query blocks in one, two and three segments."""
    for query_block, key_block, segment in some(random, 2, [(128, 64, 64), (64, 64, 192), (128, 128, 128), (192, 64, 128)]):
        for causal in some(random, 1, [True, False]):
            with Program(failures, random, query_block=query_block, key_block=key_block, segment=segment, causal=causal,
                         rule="top-p=0.5", chip=str(random.choice(["sm_80", "sm_90a"])), returned="needed") as program:
                keys = 3 * segment + int(random.integers(0, segment))
                straddling = 0
                for first in (1, segment - 1, segment, segment + 1, 2 * segment - query_block // 2, keys - 1,
                              int(random.integers(keys))):
                    first = max(first, 0)
                    program.run(program.inputs(keys - first, keys))
                    geometry = program.case.geometry
                    straddling += np.sum(geometry.first_segment < geometry.last_segment)
                if not straddling:
                    program.fail("no query block lies in two segments")


def tall_blocks(failures, random):
    """Query blocks of 192 rows, which no power of two divides: all stages, lengths around a block, two and three."""
    for chip, head_dim, key_block, segment, permutation, causal in (
            ("sm_80", 64, 64, 64, "none", False), ("sm_80", 128, 128, 384, "per-kv-head", True),
            ("sm_90a", 64, 128, 256, "none", True), ("sm_90a", 128, 64, 192, "per-query-head", True)):
        with Program(failures, random, chip=chip, query_block=192, key_block=key_block, segment=segment, heads=(4, 2),
                     head_dim=head_dim, permutation=permutation, causal=causal, rule="top-p=0.5",
                     returned="everything") as program:
            for queries in some(random, 3, [1, 65, 191, 192, 193, 383, 385, 577]):
                program.run(program.inputs(queries, queries + int(random.integers(0, 300))))


def windows(failures, random):
    """Chosen blocks that no row may attend through the window are not listed."""
    for causal in (True, False):
        for window in some(random, 2, [1, 64, 65, 150, 700]):
            with Program(failures, random, window=window, causal=causal, rule="all") as program:
                found = program.run(program.inputs(600, 700))
                geometry = program.case.geometry
                positions = geometry.positions(found["permutation"], 2)
                attends = geometry.attends(np.arange(600), np.broadcast_to(positions, (1, 2, 700)))
                listed = np.array([[[[attends[0, h, a : a + 64, c : c + 64].any() for c in range(0, 700, 64)]
                                     for a in range(0, 600, 64)] for h in range(2)]])
                program.expect_lists(found, listed, "window")
                if window < 700 and listed.all():
                    program.fail("the window leaves no block out")


def not_finite(failures, random):
    """NaN and infinities: an order stays one, what they do not reach stays as it is to the bit."""
    for permutation, causal, pooling in some(random, 2, [
            ("per-query-head", True, "mean"), ("per-kv-head", True, "max"), ("none", False, "mean"),
            ("per-query-head", False, "max"), ("none", True, "max"), ("per-kv-head", False, "mean")]):
        chip = str(random.choice(["sm_80", "sm_90a"]))
        with Program(failures, random, heads=(4, 2), batch=2, permutation=permutation, causal=causal, pooling=pooling,
                     rule="top-p=0.5", chip=chip) as program:
            keys = int(random.integers(300, 450))
            clean_inputs = program.inputs(keys, keys)
            clean = program.run(clean_inputs)
            for number, name in enumerate("qkv"):
                for value in (np.nan, np.inf, -np.inf):
                    inputs = [array.copy() for array in clean_inputs]
                    head = int(random.integers(inputs[number].shape[1]))
                    row = int(random.choice([random.integers(keys), keys - 1, 0, random.integers(keys - 64, keys)]))
                    inputs[number][1, head, row, random.integers(64)] = value
                    reached = np.zeros((2, 4), bool)
                    group = head // 2 if name == "q" else head
                    # Queries reach the heads that share a key head with them through an order that they share.
                    alone = name == "q" and permutation != "per-kv-head"
                    reached[1, head if alone else slice(2 * group, 2 * group + 2)] = True
                    what = f"{value} in {name}[1, {head}, {row}]"
                    program.fail(*(f"{what}: {fault}" for fault in judge_not_finite(program, inputs, clean, reached)))


def judge_not_finite(program, inputs, clean, reached):
    case, geometry = program.case, program.case.geometry
    found = program.launch(inputs)
    q, k, v = judges.wide(*inputs)
    permutation = found.get("permutation")
    if permutation is not None:
        importance = twin.importance(q, k, case.query_block, case.segment, case.scale, case.permutation_heads)
        faults = list(judges.check_order(permutation, case, case.permutation_heads))
        yield from faults
        if faults:
            return
        # Where importance is NaN it is so for every key of the head, which leaves all of them in place.
        nan = np.isnan(importance[..., 0])
        if nan.any():
            places = np.broadcast_to(np.arange(case.key_length), permutation[nan].shape)
            program.expect_sets(permutation[nan], places, "NaN")
        if not nan.all():
            yield from judges.check_permutation(permutation, np.where(nan[..., None], 0, importance), case)
    scores = judges.expected_scores(q, k, permutation, case)
    yield from judges.check_scores(found["scores"], scores, case)
    faults = list(judges.check_selection(found["counts"], found["indices"], None, scores, permutation, case))
    yield from faults
    if faults:
        return
    listed = twin.listed_blocks(found["counts"], found["indices"], geometry.key_blocks)
    out, lse = twin.attention(q, k, v, listed, geometry, permutation, case.scale)
    for name, expected in (("out", out), ("lse", lse)):
        if not np.array_equal(np.isfinite(found[name]), np.isfinite(expected)):
            yield (f"{name} is not finite in {np.sum(~np.isfinite(found[name]))} places, expected "
                   f"{np.sum(~np.isfinite(expected))}")
        different = found[name].view(np.uint32) != clean[name].view(np.uint32)
        if different[~reached].any():
            yield f"{name} differs in other heads or batches"
    finite = np.isfinite(out).all(axis=-1) & np.isfinite(lse)
    if not np.allclose(found["out"][finite], out[finite], rtol=0.02, atol=0.02):
        yield "rows that stay finite are wrong"


GROUPS = {function.__name__: function for function in (equal_keys, equal_scores, one_block, shares, capacity, lengths,
                                                       chunks, tall_blocks, windows, not_finite)}


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("groups", nargs="+", choices=GROUPS)
    parser.add_argument("--seed", type=int, default=draw_seed())
    options = parser.parse_args()
    print(f"seed {options.seed}")
    failures = []
    for name in options.groups:
        before = len(failures)
        GROUPS[name](failures, np.random.default_rng(options.seed))
        print(f"{name}: {len(failures) - before} failures")
    print("\n".join(failure[:2000] for failure in failures))
    sys.exit(1 if failures else 0)


if __name__ == "__main__":
    main()
