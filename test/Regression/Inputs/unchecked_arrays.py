# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
"""Launches kernels whose permutation, counts and indices nobody has checked, as is the case with arrays on a device.

The plan's `contents` are taken away, so that pbs-launch hands any values over. Values of all kinds must neither read beyond an
argument nor loop for ever, and give what the values give that the plan's page says they are taken for. PBS_SEED repeats a failure.
"""
import json
import pathlib
import subprocess
import sys

import numpy as np

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parents[2] / "Reference"))
from harness import half, make_random

BATCH, HEADS, QUERIES, KEYS, WIDTH, BLOCK, CAPACITY = 1, 2, 100, 230, 64, 64, 3


def run(*command, text=None):
    done = subprocess.run([str(part) for part in command], input=text, text=True, capture_output=True, timeout=300)
    assert done.returncode == 0, f"{command}: {done.stderr}"
    return done.stdout


def compile_unchecked(module, path):
    """Compiles a module at any stop and takes away what the plan says of contents."""
    run("pbs-compile", "-", "-o", path.with_suffix(".ptx"), text=module)
    plan_path = path.with_suffix(".plan.json")
    plan = json.loads(plan_path.read_text())
    for entry in plan["entries"]:
        for argument in entry["arguments"]:
            argument.pop("contents", None)
    plan_path.write_text(json.dumps(plan))
    return plan_path


def launch(plan, arrays, results):
    folder = plan.parent
    command = ["pbs-launch", plan, "--device=emulator", "--checks=all"]
    for name, array in arrays.items():
        np.save(folder / f"{name}.npy", array)
        command.append(f"--arg={folder / name}.npy")
    run(*command, *(f"--result={folder / name}.npy" for name in results))
    return [np.load(folder / f"{name}.npy") for name in results]


def wild(random, shape, dtype, limit):
    """Values of which many are just beyond 0 to limit, or far."""
    bounds = np.iinfo(dtype)
    values = random.integers(0, limit + 1, shape)
    odd = np.array([value for value in (-1, -limit, limit + 1, 2 * limit, bounds.min, bounds.max, bounds.max - limit)
                    if bounds.min <= value <= bounds.max])
    return np.where(random.random(shape) < 0.6, odd[random.integers(0, len(odd), shape)], values).astype(dtype)


def check_attention(random, folder):
    module = run("pbs-gen", "--stages=attention", f"--q-heads={HEADS}", "--kv-heads=1", f"--head-dim={WIDTH}",
                 f"--block={BLOCK}", f"--segment={BLOCK}")
    # Without the pass that makes the loop go through the list.
    tests = run("pbs-opt", "-", "--convert-pbs-to-pbsgpu", text=run("pbs-compile", "-", "-o", "-", "--compile-to=pbs", text=module))
    assert "walk = test" in tests
    lists = run("pbs-compile", "-", "-o", "-", "--compile-to=pbsgpu", text=module)
    assert "walk = list" in lists
    arrays = {"q": half(random, (BATCH, HEADS, QUERIES, WIDTH)), "k": half(random, (BATCH, 1, KEYS, WIDTH)),
              "v": half(random, (BATCH, 1, KEYS, WIDTH))}
    row = BATCH, HEADS, -(-QUERIES // BLOCK)
    for name, text in {"test": tests, "list": lists}.items():
        plan = compile_unchecked(text, folder / name)
        for _ in range(3):
            arrays["permutation"] = wild(random, (BATCH, HEADS, KEYS), np.int32, KEYS - 1)
            arrays["counts"] = wild(random, row + (2,), np.int32, CAPACITY)
            arrays["indices"] = wild(random, row + (CAPACITY,), np.uint16, -(-KEYS // BLOCK) - 1)
            found = launch(plan, arrays, ("out", "lse"))
            arrays["counts"][..., 0] = arrays["counts"][..., 0].clip(0, CAPACITY)
            arrays["counts"][..., 1] = np.clip(arrays["counts"][..., 1], 0, CAPACITY - arrays["counts"][..., 0])
            for one, other in zip(found, launch(plan, arrays, ("out", "lse"))):
                np.testing.assert_array_equal(one, other, name)


def check_rows(random, folder):
    order, rows = f"!pbs.permutation<heads = {HEADS}, segment = {BLOCK}>", f"tensor<?x1x?x{WIDTH}xbf16>"
    permuted, pooled = f"!pbs.permuted<tensor<?x{HEADS}x?x{WIDTH}xbf16>, segment = {BLOCK}>", f"tensor<?x{HEADS}x?x{WIDTH}xf32>"
    plan = compile_unchecked(f"""func.func @f(%k: {rows}, %order: {order}) -> ({permuted}, {pooled}) {{
        %a = pbs.permute %k, %order : {rows}, {order} -> {permuted}
        %b = pbs.pool %k permutation(%order) mean block = {BLOCK} : {rows}, {order} -> {pooled}
        return %a, %b : {permuted}, {pooled}
      }}""", folder / "rows")
    keys, order = half(random, (BATCH, 1, KEYS, WIDTH)), wild(random, (BATCH, HEADS, KEYS), np.int32, KEYS - 1)
    found = launch(plan, {"k": keys, "order": order}, ("permuted", "pooled"))
    order[(order < 0) | (order >= KEYS)] = KEYS - 1
    np.testing.assert_array_equal(found[0], np.take_along_axis(np.broadcast_to(keys, (BATCH, HEADS, KEYS, WIDTH)),
                                                               order[..., None], axis=2))
    for one, other in zip(found, launch(plan, {"k": keys, "order": order}, ("permuted", "pooled"))):
        np.testing.assert_array_equal(one, other)


def main():
    folder = pathlib.Path(sys.argv[1])
    folder.mkdir(parents=True)
    random = make_random()
    check_attention(random, folder)
    check_rows(random, folder)


main()
