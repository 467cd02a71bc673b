# SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
# RUN: %python %s
"""Every operation of score regions, on the reference or the device that the first argument names.

With one query and one key the log-sum-exp is the new score. Head number i takes what case i computes.
"""
import sys

import numpy as np

import harness

device = sys.argv[1] if len(sys.argv) > 1 else "reference"
random = harness.make_random()
BATCH, DEPTH = 12, 64

# Text that computes %CASE from the score %s, the scalars %x and %n, the batch %b, and %m, which is the batch or less
# it; and the same on arrays.
REAL = [
    ("%CASE = arith.addf %s, %x : f32", lambda s, x: s + x),
    ("%CASE = arith.subf %s, %x : f32", lambda s, x: s - x),
    ("%CASE = arith.mulf %s, %x : f32", lambda s, x: s * x),
    ("%CASE = arith.divf %s, %x : f32", lambda s, x: s / x),
    ("%CASE = arith.negf %s : f32", lambda s, x: -s),
    ("%CASE = arith.maxnumf %s, %x : f32", np.maximum),
    ("%CASE = arith.minnumf %s, %x : f32", np.minimum),
    ("%CASE = arith.maxnumf %s, %nan : f32", lambda s, x: s),
    ("%CASE = arith.minnumf %nan, %s : f32", lambda s, x: s),
    ("%CASE = arith.maximumf %s, %x : f32", np.maximum),
    ("%CASE = arith.minimumf %s, %x : f32", np.minimum),
    ("%CASE = arith.maximumf %s, %nan : f32", lambda s, x: np.nan * s),
    ("%CASE = arith.minimumf %nan, %s : f32", lambda s, x: np.nan * s),
    ("%CASE = math.absf %s : f32", lambda s, x: np.abs(s)),
    ("%CASE = math.exp %s : f32", lambda s, x: np.exp(s)),
    ("%CASE = math.exp2 %s : f32", lambda s, x: np.exp2(s)),
    ("%CASE = math.fma %s, %x, %s : f32", lambda s, x: s * x + s),
    ("%CASE = math.tanh %s : f32", lambda s, x: np.tanh(s)),
    ("%CASE = math.log %size : f32", lambda s, x: np.log(np.abs(s))),
    ("%CASE = math.log2 %size : f32", lambda s, x: np.log2(np.abs(s))),
    ("%CASE = math.sqrt %size : f32", lambda s, x: np.sqrt(np.abs(s))),
    ("%CASE = math.rsqrt %size : f32", lambda s, x: 1 / np.sqrt(np.abs(s))),
    ("%CASE = math.log %minus_size : f32", lambda s, x: np.nan * s),
    ("%CASE = math.sqrt %minus_size : f32", lambda s, x: np.nan * s),
]


def wrap(values):
    return values.astype(np.int64).astype(np.int32)


INTEGER = [
    ("%CASE = arith.addi %b, %n : i32", lambda b, m, n: wrap(b + n)),
    ("%CASE = arith.subi %b, %n : i32", lambda b, m, n: wrap(b - n)),
    ("%CASE = arith.muli %b, %n : i32", lambda b, m, n: wrap(b * n)),
    ("%CASE = arith.addi %big, %b : i32", lambda b, m, n: wrap(2**31 - 3 + b)),
    ("%CASE = arith.maxsi %m, %n : i32", lambda b, m, n: np.maximum(m, n)),
    ("%CASE = arith.minsi %m, %n : i32", lambda b, m, n: np.minimum(m, n)),
    ("%CASE = arith.andi %m, %n : i32", lambda b, m, n: m & n),
    ("%CASE = arith.ori %m, %n : i32", lambda b, m, n: m | n),
    ("%CASE = arith.xori %m, %n : i32", lambda b, m, n: m ^ n),
    ("%CASE = arith.extui %is_odd : i1 to i32", lambda b, m, n: b % 2),
]
COMPARISONS = {"eq": np.equal, "ne": np.not_equal, "slt": np.less, "sle": np.less_equal, "sgt": np.greater,
               "sge": np.greater_equal}
TRUTH = [
    *((f"%CASE = arith.cmpi {name}, %m, %n : i32", lambda s, x, b, m, n, f=function: f(m, n))
      for name, function in COMPARISONS.items()),
    *((f"%CASE = arith.cmpi {'u' + name[1:]}, %m, %n : i32",
       lambda s, x, b, m, n, f=function: f(m.astype(np.uint32), np.uint32(n)))
      for name, function in COMPARISONS.items() if name.startswith("s")),
    *((f"%CASE = arith.cmpf {prefix}{name[-2:]}, %s, %x : f32", lambda s, x, b, m, n, f=function: f(s, x))
      for name, function in COMPARISONS.items() for prefix in "ou"),
    *((f"%CASE = arith.cmpf {prefix}{name[-2:]}, %s, %nan : f32", lambda s, x, b, m, n, p=prefix: b * 0 == (p == "o"))
      for name in COMPARISONS for prefix in "ou"),
    ("%CASE = arith.cmpf ord, %s, %x : f32", lambda s, x, b, m, n: b >= 0),
    ("%CASE = arith.cmpf uno, %s, %nan : f32", lambda s, x, b, m, n: b >= 0),
    ("%CASE = arith.cmpi slt, %is_odd, %is_large : i1", lambda s, x, b, m, n: (b % 2 == 1) & (s <= x)),
    ("%CASE = arith.andi %is_odd, %is_large : i1", lambda s, x, b, m, n: (b % 2 == 1) & (s > x)),
    ("%CASE = arith.ori %is_odd, %is_large : i1", lambda s, x, b, m, n: (b % 2 == 1) | (s > x)),
    ("%CASE = arith.xori %is_odd, %is_large : i1", lambda s, x, b, m, n: (b % 2 == 1) ^ (s > x)),
    ("%CASE = arith.addi %is_odd, %is_large : i1", lambda s, x, b, m, n: (b % 2 == 1) ^ (s > x)),
    ("%CASE = arith.maxsi %is_odd, %is_large : i1", lambda s, x, b, m, n: (b % 2 == 1) & (s > x)),
]
SIGNED = [
    ("%CASE = arith.uitofp %m : i32 to f32", lambda s, x, b, m, n: m.astype(np.uint32)),
    ("%CASE = arith.sitofp %is_odd : i1 to f32", lambda s, x, b, m, n: -(b % 2)),
    ("%CASE = arith.uitofp %is_odd : i1 to f32", lambda s, x, b, m, n: b % 2),
]

lines = """
  %zero = arith.constant 0.0 : f32
  %nan = arith.constant 0x7FC00000 : f32
  %one = arith.constant 1.0 : f32
  %i0 = arith.constant 0 : i32
  %i1 = arith.constant 1 : i32
  %big = arith.constant 2147483645 : i32
  %size = math.absf %s : f32
  %minus_size = arith.negf %size : f32
  %low = arith.andi %b, %i1 : i32
  %is_odd = arith.cmpi ne, %low, %i0 : i32
  %is_large = arith.cmpf ogt, %s, %x : f32
  %minus = arith.subi %i0, %b : i32
  %m = arith.select %is_odd, %minus, %b : i32
""".splitlines()
expected = []


def add(text, converted, compute):
    """A case, whose %CASE `converted` makes a number of."""
    number = len(expected)
    lines.extend([text.replace("CASE", f"c{number}"), converted.replace("CASE", f"c{number}").replace("NEW", f"r{number}"),
                  f"%n{number} = arith.constant {number} : i32", f"%is{number} = arith.cmpi eq, %h, %n{number} : i32",
                  f"%new{number} = arith.select %is{number}, %r{number}, %new{number - 1} : f32" if number
                  else f"%new0 = arith.select %is0, %r0, %zero : f32"])
    expected.append(compute)


for text, function in REAL:
    add(text, "%NEW = arith.addf %CASE, %zero : f32", lambda s, x, b, m, n, f=function: f(s, x))
for text, function in INTEGER:
    add(text, "%NEW = arith.sitofp %CASE : i32 to f32", lambda s, x, b, m, n, f=function: f(b, m, n))
for text, function in TRUTH:
    add(text, "%NEW = arith.select %CASE, %one, %zero : f32", function)
for text, function in SIGNED:
    add(text, "%NEW = arith.addf %CASE, %zero : f32", function)

heads = len(expected)
body = "\n".join(lines)
tensor, lse = f"tensor<?x{heads}x?x{DEPTH}xf16>", f"tensor<?x{heads}x?xf32>"
module = f"""func.func @f(%q: {tensor}, %k: {tensor}, %s: !pbs.selection<128x128>, %x: tensor<f32>, %n: tensor<i32>) -> {lse} {{
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : {tensor}, {tensor}, {tensor}, !pbs.selection<128x128> -> {tensor}, {lse} score(%x, %n : tensor<f32>, tensor<i32>) {{
    ^bb0(%s: f32, %b: i32, %h: i32, %i: i32, %j: i32, %x: f32, %n: i32):
      {body}
      pbs.yield %new{heads - 1}
    }}
  return %lse : {lse}
}}"""

q, k = (harness.half(random, (BATCH, heads, 1, DEPTH), "f16") for _ in range(2))
x, n = np.float32(random.uniform(0.1, 0.9)), np.int32(random.integers(2, 9))
counts = np.broadcast_to(np.int32([0, 1]), (BATCH, heads, 1, 2))
indices = np.zeros((BATCH, heads, 1, 1), np.uint16)
found, = harness.run(module, [q, k, counts, indices, x, n], 1, device=device)

scores = (q.astype(float) * k).sum(axis=(2, 3)) / 8
# Of a sum of DEPTH products in single precision, in any order.
rounding = DEPTH * 2.0**-24 * np.abs(q.astype(float) * k).sum(axis=(2, 3)) / 8
b = np.arange(BATCH)
m = np.where(b % 2 == 1, -b, b)
for head, compute in enumerate(expected):
    with np.errstate(all="ignore"):
        want = np.broadcast_to(np.asarray(compute(scores[:, head], float(x), b, m, int(n)), float), BATCH)
    # Of a kernel, the tolerance of its log-sum-exp, and what the score's own rounding becomes.
    bound = 1e-6 * np.abs(want) + (1e-12 if device == "reference" else 2e-4)
    if device != "reference":
        with np.errstate(all="ignore"):
            near = [np.asarray(compute(scores[:, head] + sign * rounding[:, head], float(x), b, m, int(n)), float) - want
                    for sign in (-1, 1)]
        bound += np.nan_to_num(np.abs(near), nan=0, posinf=0).max(axis=0)
    text = next(line for line in lines if line.startswith(f"%c{head} "))
    assert np.array_equal(np.isnan(found[:, head, 0]), np.isnan(want)), f"{text}: {found[:, head, 0]}, not {want}"
    close = np.isnan(want) | (np.abs(found[:, head, 0] - want) <= bound)
    assert close.all(), f"{text}: {found[~close, head, 0]}, not {want[~close]}"
