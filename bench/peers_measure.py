# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""The measurements of bench/peers.py: adapters for our plans and for their peers, and one loop that times them all.

Every row is measured alike. Times are CUDA events around one call, in milliseconds, taken while the device is still busy with
something else, so that no launch of the host is in them; input sets are rotated, which together exceed twice the L2 cache.
"""
import functools
import gc
import importlib
import importlib.metadata
import json
import math
import pathlib
import re
import statistics
import subprocess
import time

import torch
import torch.nn.attention

import peers_lists
import peers_report

DEVICE = "cuda"
# Cycles that the device spins before each timed call: a millisecond, in which the host has the call ready.
SPIN_CYCLES = 2_000_000
# Longest inputs that are compared with a product in single precision, a head at a time: 1 GiB of scores.
LONGEST_REFERENCE = 16384
ALLOWED_BLOCK_ERROR = 1e-2
STAGES = (("attention", "attention"), ("importance|log_sums", "importance"), ("sort", "sort"),
          ("pool|permute", "permute/pool"), ("score|select", "scores/select"))


def stage_of(kernel):
    """The stage of the algorithm that a kernel of a plan belongs to, by its name."""
    return next((stage for pattern, stage in STAGES if re.search(pattern, kernel)), kernel)


def first_line(error):
    """Type and first line of an exception."""
    text = next((line.strip() for line in str(error).splitlines() if line.strip()), "")
    return f"{type(error).__name__}: {text}"[:300]


def block_error(result, expected, block):
    """Largest relative Frobenius error of a query block, (1, H, N, D) both; NaN where a result is."""
    worst = torch.zeros((), device=result.device)
    for head in range(result.shape[1]):
        x, y = (t[0, head].float().unflatten(0, (-1, block)) for t in (result, expected))
        worst = torch.maximum(worst, ((x - y).norm(dim=(1, 2)) / y.norm(dim=(1, 2))).max())
    return worst.item()


def reference(tensors, listed, block):
    """Attention over listed blocks (1, Hq, Qb, Kb), or over every causal one where None, in single precision."""
    q, k, v = (tensors[name][0].float() for name in "qkv")
    group = q.shape[0] // k.shape[0]
    positions = torch.arange(q.shape[1], device=q.device)
    out = torch.empty_like(q)
    for head in range(q.shape[0]):
        order = tensors["permutation"][0, head].long() if "permutation" in tensors else positions
        allowed = order[None, :] <= positions[:, None]
        if listed is not None:
            allowed &= listed[0, head].repeat_interleave(block, 0).repeat_interleave(block, 1)
        scores = (q[head] @ k[head // group][order].T * q.shape[-1] ** -0.5).masked_fill_(~allowed, -math.inf)
        out[head] = scores.softmax(-1) @ v[head // group][order]
    return out[None]


def median_milliseconds(runs, options):
    """Times of one call, each over the next of `runs`: median, min, max, and their number."""
    torch.cuda.synchronize()
    begin = time.perf_counter()
    for i in range(max(options.warmup, len(runs))):
        runs[i % len(runs)]()
    torch.cuda.synchronize()
    estimate = (time.perf_counter() - begin) / max(options.warmup, len(runs))
    repeats = min(options.repeats, max(options.min_repeats, int(options.row_seconds / max(estimate, 1e-6))))
    events = [[torch.cuda.Event(enable_timing=True) for _ in range(2)] for _ in range(repeats)]
    for i, (start, end) in enumerate(events):
        torch.cuda._sleep(SPIN_CYCLES)
        start.record()
        runs[i % len(runs)]()
        end.record()
    torch.cuda.synchronize()
    times = [start.elapsed_time(end) for start, end in events]
    return {"milliseconds": statistics.median(times), "milliseconds_min": min(times), "milliseconds_max": max(times),
            "repeats": repeats, "input_sets": len(runs)}


def warm_milliseconds(runs, options, milliseconds):
    """The median of calls that follow each other without a pause, after options.warm_seconds of them: at the power limit.

    A call's time is that between its end and the end of the one before, so that it holds a launch's cost where the host
    does not keep up.
    """
    before = math.ceil(1000 * options.warm_seconds / milliseconds)
    for i in range(before):
        runs[i % len(runs)]()
    ends = [torch.cuda.Event(enable_timing=True) for _ in range(options.min_repeats + 1)]
    for i, end in enumerate(ends):
        runs[i % len(runs)]()
        end.record()
    torch.cuda.synchronize()
    return statistics.median(start.elapsed_time(end) for start, end in zip(ends, ends[1:]))


def kernel_names(run):
    """Names of the kernels that ran during a call, as the profiler saw them."""
    from torch.profiler import ProfilerActivity, profile

    with profile(activities=[ProfilerActivity.CPU, ProfilerActivity.CUDA]) as profiler:
        run()
        torch.cuda.synchronize()
    names = sorted({event.name for event in profiler.events() if event.device_type == torch.autograd.DeviceType.CUDA})
    if not names:
        raise RuntimeError("the profiler saw no kernel")
    return names


def run_all(steps):
    for step in steps:
        step()


class SDPA:
    """torch's scaled_dot_product_attention with one backend, dense and causal."""

    def __init__(self, backend):
        self.backend = backend

    def call(self, q, k, v, gqa):
        extra = {"enable_gqa": True} if gqa else {}
        with torch.nn.attention.sdpa_kernel(self.backend):
            return torch.nn.functional.scaled_dot_product_attention(q, k, v, is_causal=True, **extra)

    def prepare(self, tensors, _, row):
        """The inputs; keys and values are repeated here, outside the timed call, for a backend that takes no groups."""
        q, k, v = (tensors[name] for name in "qkv")
        try:
            self.call(*(x[:, :, :256] for x in (q, k, v)), gqa=True)
            return q, k, v, True
        except RuntimeError as error:
            row["note"] = "keys and values repeated for each query head outside the timed call; enable_gqa: " + first_line(error)
            group = q.shape[1] // k.shape[1]
            return q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1), False

    def bind(self, state):
        return lambda: self.call(*state)


@functools.cache
def compiled_flex(dynamic, mode):
    """FlexAttention compiled; one function for all rows, so that each length and kind of mask is compiled once."""
    from torch.nn.attention.flex_attention import flex_attention

    # Beyond the limit, calls would run uncompiled.
    torch._dynamo.config.recompile_limit = 64
    return torch.compile(flex_attention, dynamic=dynamic, mode=mode)


class Flex:
    """torch's FlexAttention, compiled, with the block mask of the lists, or its own dense causal one where there are none."""

    def __init__(self, options, block):
        self.block = block
        self.compiled = compiled_flex(options.flex_dynamic, options.flex_mode)

    def prepare(self, tensors, lists, row):
        q, k, v = (tensors[name] for name in "qkv")
        if lists is None:
            # One mask for all heads, as create_block_mask makes it, but without its mask of every query and key.
            layout = peers_lists.Layout(1, q.shape[2] // self.block, 1, False)
            lists = peers_lists.random_lists(layout, 1, q.device)
        return q, k, v, peers_lists.block_mask(lists, self.block)

    def bind(self, state):
        q, k, v, mask = state
        return lambda: self.compiled(q, k, v, block_mask=mask, enable_gqa=q.shape[1] != k.shape[1])


class FlashAttention:
    """FlashAttention-3 or -4, whose tensors are (B, N, H, D); they are laid out so outside the timed call."""

    def __init__(self, module, block):
        self.function = importlib.import_module(module).flash_attn_func
        self.block = block

    def prepare(self, tensors, lists, row):
        q, k, v = (tensors[name].transpose(1, 2).contiguous() for name in "qkv")
        row["note"] = "tensors laid out as (B, N, H, D) outside the timed call"
        if lists is None:
            return q, k, v, {}
        from flash_attn.cute.block_sparsity import BlockSparseTensorsTorch

        blocks = peers_lists.partial_and_full(lists)
        # Lists for each query head, which grouped queries in one tile would have to share.
        return q, k, v, {"block_sparse_tensors": BlockSparseTensorsTorch(*blocks, block_size=(self.block, self.block)),
                         "pack_gqa": False}

    def bind(self, state):
        q, k, v, extra = state

        def run():
            result = self.function(q, k, v, causal=True, **extra)
            return (result[0] if isinstance(result, tuple) else result).transpose(1, 2)

        return run


FLASH_ATTENTION = {"FlashAttention-3": "fa3_fwd_interface", "FlashAttention-4": "flash_attn.cute.interface"}


class Authors:
    """The authors' package: permutation, selection and attention in one call."""

    def __init__(self, block, segment, top_p):
        self.settings = {"block_size": block, "segment_size": segment, "threshold": top_p, "causal": True}
        self.function = importlib.import_module("pbs_attn.src.pbs").permuted_block_sparse_attn_fwd

    def prepare(self, tensors, _, row):
        q, k, v = (tensors[name] for name in "qkv")
        group = q.shape[1] // k.shape[1]
        row["note"] = "keys and values repeated for each query head outside the timed call: the package takes no groups"
        return q, k.repeat_interleave(group, 1), v.repeat_interleave(group, 1)

    def bind(self, state):
        return lambda: self.function(*state, **self.settings)


class Ours:
    """A plan of attention over given lists."""

    def __init__(self, plan):
        self.plan = plan
        arguments = {argument["name"]: argument for argument in plan.entry["arguments"]}
        self.heads, self.kv_heads, self.head_dim = (plan.shapes()[name][axis] for name, axis in (("q", 1), ("k", 1), ("q", 3)))
        contents = arguments["counts"]["contents"]
        self.block, self.key_block = contents["query_block"], contents["key_block"]
        self.permuted = "permutation" in arguments
        self.segment = arguments["permutation"]["contents"]["segment"] if self.permuted else None

    def prepare(self, tensors, lists, _):
        """The same blocks in the plan's own form: keys of its heads, and blocks of its size."""
        lists = peers_lists.cut(lists, tensors["q"].shape[2], self.block, self.key_block)
        copies = self.kv_heads // tensors["k"].shape[1]
        own = {name: tensors[name].repeat_interleave(copies, 1) for name in "kv"} if copies > 1 else {}
        return {**tensors, **own, "counts": lists.counts, "indices": lists.indices}

    def bind(self, state):
        steps, outputs = self.plan.bind(state)

        def run():
            run_all(step for _, step in steps)
            return outputs["out"]

        return run


class Bench:
    """Measures rows into a report, which is on disk after each of them."""

    def __init__(self, options):
        self.options = options
        self.begin = time.perf_counter()
        self.generator = torch.Generator(device=DEVICE).manual_seed(options.seed)
        self.report = {"date": time.strftime("%Y-%m-%d"), "environment": environment(), "seed": options.seed,
                       "options": {key: value for key, value in vars(options).items() if key not in ("json", "plot", "plans")},
                       "rows": []}
        # Results of ours at the smallest length by (mask, share), of the first input set.
        self.results = {}
        self.references = {}
        self.profiling = False

    def save(self):
        peers_report.add_ratios(self.report["rows"])
        self.report["wall_seconds"] = time.perf_counter() - self.begin
        if self.options.json:
            pathlib.Path(self.options.json).write_text(json.dumps(self.report, indent=1) + "\n")

    def wanted(self, kernel):
        return re.search(self.options.rows, kernel) and not (self.options.skip and re.search(self.options.skip, kernel))

    def row(self, row, make, cases):
        """Adds a row: `make` gives the adapter, `cases` are (tensors, lists) of each input set. Returns whether it has a time."""
        if not self.wanted(row["kernel"]):
            return False
        if self.profiling:
            self.profile(row, make, cases[0])
            return False
        try:
            if self.options.budget and time.perf_counter() - self.begin > self.options.budget:
                raise TimeoutError("not run: the time budget is spent")
            self.measure(row, make(), cases)
        except ModuleNotFoundError as error:
            row["error"] = f"not installed: {error}"
        except Exception as error:
            row["error"] = first_line(error)
        # Here, where nothing of the adapter is left on the device.
        self.finish(row)
        return "milliseconds" in row

    def measure(self, row, adapter, cases):
        """Memory, errors and times of an adapter."""
        states = [adapter.prepare(*case, row) for case in cases]
        torch.cuda.synchronize()
        # What a call takes above its inputs: outputs, which bind() makes for ours, and workspace.
        base = torch.cuda.memory_allocated()
        runs = [adapter.bind(states[0])]
        begin = time.perf_counter()
        runs[0]()
        torch.cuda.synchronize()
        row["first_call_seconds"] = time.perf_counter() - begin
        gc.collect()
        torch.cuda.reset_peak_memory_stats()
        result = runs[0]()
        torch.cuda.synchronize()
        row["peak_bytes"] = torch.cuda.max_memory_allocated() - base
        try:
            self.compare(row, result, cases[0])
        except torch.OutOfMemoryError as error:
            row["compare_error"] = first_line(error)
        del result
        runs += [adapter.bind(state) for state in states[1:]]
        row.update(median_milliseconds(runs, self.options))
        if self.options.warm_seconds:
            row["warm_milliseconds"] = warm_milliseconds(runs, self.options, row["milliseconds"])
        peers_report.add_rates(row, **self.shape)

    def profile(self, row, make, case):
        """Adds to an earlier row of a peer which kernels run."""
        same = ("kernel", "length", "mask")
        measured = next((x for x in self.report["rows"] if all(x[key] == row[key] for key in same)), {})
        if "milliseconds" not in measured or row["ours"]:
            return
        try:
            adapter = make()
            run = adapter.bind(adapter.prepare(*case, row))
            run()
            torch.cuda.synchronize()
            measured["gpu_kernels"] = kernel_names(run)
        except Exception as error:
            measured["gpu_kernels_error"] = first_line(error)

    def finish(self, row):
        self.report["rows"].append(row)
        print(peers_report.progress(row), flush=True)
        self.save()
        gc.collect()
        torch.cuda.empty_cache()

    def compare(self, row, result, case):
        """Records errors at the smallest length: against ours on the same blocks, and of every row against a reference."""
        if row["length"] != min(self.options.lengths) or result is None or row.get("mask") is None:
            return
        tensors, lists = case
        # Dense attention is the same with and without a permutation.
        key = (row["mask"], "permutation" in tensors and row["mask"] != "dense")
        if row["length"] <= LONGEST_REFERENCE and row["mask"] != "own selection":
            if key not in self.references:
                listed = None if lists is None or row["mask"] == "dense" else peers_lists.listed_blocks(lists)
                self.references[key] = reference(tensors, listed, self.block)
            row["block_error_to_reference"] = block_error(result, self.references[key], self.block)
        if key in self.results:
            row["block_error_to_ours"] = block_error(result, self.results[key], self.block)
        elif row["ours"]:
            self.results[key] = result.clone()
        for name, verdict in (("block_error_to_reference", "correct"), ("block_error_to_ours", "agrees_with_ours")):
            if name in row:
                # Another selection may well give another result. False for NaN too, which no JSON holds.
                if row["mask"] != "own selection":
                    row[verdict] = row[name] <= ALLOWED_BLOCK_ERROR
                if not math.isfinite(row[name]):
                    row[name] = None

    def run(self, attention, prefill):
        """Measures all rows. `attention` and `prefill` are {name: Plan or exception}."""
        ours = {}
        for name, plan in attention.items():
            ours[name] = plan if isinstance(plan, Exception) else Ours(plan)
        first = next((x for x in ours.values() if isinstance(x, Ours)), None)
        heads, kv_heads, head_dim, self.block = ((first.heads, first.kv_heads, first.head_dim, first.block) if first
                                                 else (32, 8, 128, 128))
        self.shape = {"heads": heads, "head_dim": head_dim, "block": self.block}
        self.segment = next((x.segment for x in ours.values() if isinstance(x, Ours) and x.segment), 256)
        self.report["shape"] = {"batch": 1, "heads": heads, "kv_heads": kv_heads, "head_dim": head_dim, "dtype": "bf16",
                                "block": self.block, "segment": self.segment}
        for length in self.options.lengths:
            if length < self.segment or length % self.segment:
                raise ValueError(f"length {length} is no multiple of the segment, {self.segment}")
        self.matmul()
        for length in sorted(self.options.lengths):
            self.length(length, ours, heads, kv_heads, head_dim)
            for name, plan in prefill.items():
                self.prefill(length, name, plan)
        # After all times: a profiler that was once attached may cost later calls something.
        self.profiling = True
        self.length(min(self.options.lengths), {}, heads, kv_heads, head_dim)
        self.report["device_after"] = device_state()
        self.save()

    def matmul(self):
        """A large matrix product: what the device reaches at most."""
        size = 8192

        class Product:
            def prepare(self, *_):
                return [torch.randn(size, size, device=DEVICE, dtype=torch.bfloat16) for _ in range(2)]

            def bind(self, state):
                return lambda: state[0] @ state[1]

        row = {"kernel": "matmul 8192", "ours": False, "length": None, "mask": None}
        if self.row(row, Product, [(None, None)] * 2):
            peers_report.add_rate(row, 2 * size**3)
            self.save()

    def sets(self, length, heads, kv_heads, head_dim):
        """Number of input sets that together exceed twice the L2 cache, two at least."""
        one = 2 * length * head_dim * (heads + 2 * kv_heads)
        return max(2, 2 * torch.cuda.get_device_properties(0).L2_cache_size // one + 1)

    def length(self, length, ours, heads, kv_heads, head_dim):
        """All rows of attention at one length."""
        sets = self.sets(length, heads, kv_heads, head_dim)
        draw = lambda count: torch.randn(1, count, length, head_dim, device=DEVICE, dtype=torch.bfloat16, generator=self.generator)
        inputs = [{"q": draw(heads), "k": draw(kv_heads), "v": draw(kv_heads)} for _ in range(sets)]
        blocks = length // self.block
        triangle = peers_lists.Layout(heads, blocks, 1, False).causal_blocks()
        dense = lambda kernel: {"kernel": kernel, "ours": False, "length": length, "mask": "dense", "share": 1.0,
                                "listed_blocks": triangle}
        plain = [(x, None) for x in inputs]
        backend = torch.nn.attention.SDPBackend
        for share in (*([] if self.options.no_dense else [1]), *self.options.shares, *self.options.per_row):
            for permuted in (False, True):
                names = [name for name, x in ours.items() if isinstance(x, Exception) or x.permuted == permuted]
                names = [name for name in names if not isinstance(ours[name], Exception) or not permuted]
                self.given_lists(length, share, permuted, inputs, {name: ours[name] for name in names})
            if share == 1:
                self.row(dense("torch flash"), lambda: SDPA(backend.FLASH_ATTENTION), plain)
                self.row(dense("torch cuDNN"), lambda: SDPA(backend.CUDNN_ATTENTION), plain)
                for name, module in FLASH_ATTENTION.items():
                    self.row(dense(name), lambda module=module: FlashAttention(module, self.block), plain)
                self.row(dense("flex"), lambda: Flex(self.options, self.block), plain)
        # Once more at the end: how far the device's clock drifted under the rows between.
        self.row({**dense("torch flash"), "kernel": "torch flash again"}, lambda: SDPA(backend.FLASH_ATTENTION), plain)
        self.results.clear()
        self.references.clear()

    def given_lists(self, length, share, permuted, inputs, ours):
        """The rows of our plans over one share of the blocks, and FlexAttention's over the same lists."""
        mask = "dense" if share == 1 else f"{100 * share:g} %" if share < 1 else f"{share} a row"
        base = {"length": length, "mask": mask}
        if not ours and (permuted or share == 1):
            return
        try:
            layout = peers_lists.Layout(self.shape["heads"], length // self.block, self.segment // self.block, permuted)
            lists = [peers_lists.random_lists(layout, share, DEVICE, self.generator) for _ in inputs]
            if permuted:
                inputs = [{**x, "permutation": self.permutation(layout, length)} for x in inputs]
        except Exception as error:
            for name in ours:
                self.finish({"kernel": name, "ours": True, **base, "error": first_line(error)})
            if not permuted and share != 1 and not self.profiling:
                self.finish({"kernel": "flex", "ours": False, **base, "error": first_line(error)})
            return
        cases = list(zip(inputs, lists))
        base.update(share=statistics.mean(x.share for x in lists), listed_blocks=statistics.mean(x.listed for x in lists),
                    list_bytes=lists[0].bytes())
        for name, adapter in ours.items():
            def make(adapter=adapter):
                if isinstance(adapter, Exception):
                    raise adapter
                return adapter

            self.row({"kernel": name, "ours": True, **base}, make, cases)
        if not permuted and share != 1:
            sparse = "FlashAttention-4"
            self.row({"kernel": sparse, "ours": False, **base},
                     lambda: FlashAttention(FLASH_ATTENTION[sparse], self.block), cases)
            self.row({"kernel": "flex", "ours": False, **base}, lambda: Flex(self.options, self.block), cases)

    def permutation(self, layout, length):
        """A uniform order of the keys of each segment, i32 (1, Hq, N)."""
        noise = torch.rand(1, layout.heads, length // self.segment, self.segment, device=DEVICE, generator=self.generator)
        first = torch.arange(0, length, self.segment, device=DEVICE)[:, None]
        return (noise.argsort(-1) + first).flatten(-2).int()

    def prefill(self, length, name, plan):
        """The whole algorithm on data with strong keys: all of it, as a graph, its stages apart, and the authors' package."""
        base = {"length": length, "mask": "own selection"}
        try:
            if isinstance(plan, Exception):
                raise plan
            import prefill_gpu

            shapes = plan.shapes()
            heads, kv_heads, head_dim = shapes["q"][1], shapes["k"][1], shapes["q"][3]
            sets = self.sets(length, heads, kv_heads, head_dim)
            inputs = [prefill_gpu.data_on_gpu(shapes, length, self.options.seed + i) for i in range(sets)]
        except Exception as error:
            self.finish({"kernel": name, "ours": True, **base, "error": first_line(error)})
            return
        cases = [(x, None) for x in inputs]

        class Whole:
            """The plan, and what its steps are: they outlive the row."""

            def __init__(self):
                self.bound = []

            def prepare(self, tensors, *_):
                return tensors

            def bind(self, state):
                steps, outputs = plan.bind(state)
                self.bound.append(steps)

                def run():
                    run_all(step for _, step in steps)
                    return outputs["out"]

                return run

        whole = Whole()
        row = {"kernel": name, "ours": True, **base}
        if self.row(row, lambda: whole, cases):
            try:
                self.stages(row, whole.bound, length)
            except Exception as error:
                row["stages_error"] = first_line(error)
            self.graph({"kernel": f"{name}, one graph", "ours": True, **base}, whole.bound)
        del whole
        self.row({"kernel": "pbs_attn", "ours": False, **base},
                 lambda: Authors(self.block, self.segment, self.options.top_p), cases)
        self.results.clear()

    def stages(self, row, bound, length):
        """Adds to a prefill's row the time of each stage and of attention on the plan's own selection, as a row too."""
        groups = {}
        for steps in bound:
            before = []
            for name, step in steps:
                before.append(step)
                # What sets memory belongs to the kernel that needs it.
                if name != "memset":
                    groups.setdefault(stage_of(name), {}).setdefault(id(steps), []).extend(before)
                    before = []
        listed = []
        for steps in bound:
            (counts,) = {step.tensors[x] for name, step in steps if name != "memset" and stage_of(name) == "attention"
                         for x in ("counts", "selection_counts") if x in step.tensors}
            listed.append(counts.view(torch.int32).sum(dtype=torch.int64).item())
        times = {}
        for stage, sets in groups.items():
            runs = [lambda steps=steps: run_all(steps) for steps in sets.values()]
            times[stage] = median_milliseconds(runs, self.options)
        causal = peers_lists.Layout(self.shape["heads"], length // self.block, 1, False).causal_blocks()
        row["listed_blocks"] = statistics.mean(listed)
        row["share"] = row["listed_blocks"] / causal
        row["stages"] = {stage: x["milliseconds"] for stage, x in times.items()}
        row["launches"] = [name for name, _ in bound[0]]
        peers_report.add_stages(row)
        print(peers_report.stages_line(row), flush=True)
        apart = {"kernel": f"{row['kernel']}, attention", "ours": True, "length": length, "mask": row["mask"],
                 "share": row["share"], "listed_blocks": row["listed_blocks"], **times["attention"]}
        peers_report.add_rates(apart, **self.shape)
        self.finish(apart)

    def graph(self, row, bound):
        """Adds a row: the whole plan replayed as one CUDA graph."""
        try:
            graphs = []
            for steps in bound:
                graphs.append(torch.cuda.CUDAGraph())
                with torch.cuda.graph(graphs[-1]):
                    run_all(step for _, step in steps)
            row.update(median_milliseconds([graph.replay for graph in graphs], self.options))
        except Exception as error:
            row["error"] = first_line(error)
        self.finish(row)


def device_state():
    """Clock in MHz, power in W and temperature in degrees of the first device, where nvidia-smi tells."""
    query = ["nvidia-smi", "--id=0", "--format=csv,noheader,nounits",
             "--query-gpu=driver_version,clocks.sm,clocks.max.sm,power.draw,power.limit,temperature.gpu"]
    try:
        return subprocess.run(query, capture_output=True, text=True, check=True, timeout=20).stdout.strip()
    except (OSError, subprocess.SubprocessError) as error:
        return first_line(error)


def environment():
    """Device and versions, for the report."""
    properties = torch.cuda.get_device_properties(0)
    versions = {}
    for package in ("torch", "triton", "cupy-cuda13x", "cupy-cuda12x", "cupy", "numpy", "fa3-fwd", "flash-attn-4",
                    "nvidia-cutlass-dsl", "pbs_attn"):
        try:
            versions[package] = importlib.metadata.version(package)
        except importlib.metadata.PackageNotFoundError:
            pass
    return {"gpu": properties.name, "capability": list(torch.cuda.get_device_capability(0)),
            "multiprocessors": properties.multi_processor_count, "l2_bytes": properties.L2_cache_size,
            "memory_bytes": properties.total_memory, "cuda": torch.version.cuda, "cudnn": torch.backends.cudnn.version(),
            "versions": versions, "device_before": device_state()}


def load_plans(folder, chip):
    """Plans of a folder for a chip: ({name: Plan} of attention over given lists, {name: Plan} of everything else).

    A plan that cannot be loaded is there as its exception, and becomes a row that says so. Plans are in the order of their
    names, so that attention-none comes before its other tilings.
    """
    attention, prefill = {}, {}
    suffix = f".{chip}.plan.json"
    for path in sorted(pathlib.Path(folder).glob(f"*{suffix}"), key=lambda path: path.name.removesuffix(suffix)):
        (entry,) = json.loads(path.read_text())["entries"]
        given = any(argument["name"] == "counts" and argument["role"] == "input" for argument in entry["arguments"])
        try:
            from plan_launcher import Plan

            plan = Plan(path)
        except Exception as error:
            plan = error
        (attention if given else prefill)[path.name.removesuffix(suffix)] = plan
    return attention, prefill
