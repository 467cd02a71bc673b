// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --split-input-file --verify-diagnostics
// RUN: not pbs-opt --convert-pbs-to-pbsgpu=key-tile=24 %s 2>&1 | FileCheck %s --check-prefix=KEY-TILE
// RUN: not pbs-opt --convert-pbs-to-pbsgpu=warps=3 %s 2>&1 | FileCheck %s --check-prefix=WARPS

// KEY-TILE: error: convert-pbs-to-pbsgpu: key-tile (24) must be 16, 32, 64 or 128
// WARPS: error: convert-pbs-to-pbsgpu: warps (3) must be 1, 2, 4 or 8

func.func @length(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %n: tensor<?x2xi32>) -> tensor<?x4x?x64xf16> {
  %c0 = arith.constant 0 : index
  %c2 = arith.constant 2 : index
  %b = tensor.dim %q, %c0 : tensor<?x4x?x64xf16>
  // expected-error@+1 {{'pbs.full_selection' op needs lengths that are dimensions of tensors, or constants above 0, to be launched from a plan}}
  %s = pbs.full_selection %b lengths(%c0, %c2) heads = 4 : !pbs.selection<128x128>
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xf16>
}

// -----

func.func @no_place(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>, %n: tensor<2x4x5x64xf16>)
    -> tensor<?x4x?x64xf16> {
  // expected-error@+1 {{'tensor.cast' op has no place in a launch plan}}
  %v = tensor.cast %k : tensor<?x1x?x64xf16> to tensor<?x1x7x64xf16>
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x7x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xf16>
}

// -----

// expected-error@+1 {{argument 4 of entry @argument is 'index', which no launch plan can take}}
func.func @argument(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>, %n: index)
    -> tensor<?x4x?x64xf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xf16>
}

// -----

func.func @returns_argument(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> (tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>) {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  // expected-error@+1 {{result 1 of entry @returns_argument is not computed by a kernel: returning an argument is not supported}}
  return %out, %q : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>
}

// -----

func.func @returns_twice(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> (tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>) {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  // expected-error@+1 {{result 1 of entry @returns_twice is returned already: returning a value twice is not supported}}
  return %out, %out : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>
}

// -----

func.func @sizes_differ(%q: tensor<1x4x?x64xf16>, %q2: tensor<2x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>,
    %s: !pbs.selection<128x128>) -> (tensor<1x4x?x64xf16>, tensor<2x4x?x64xf16>) {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<1x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<1x4x?x64xf16>, tensor<1x4x?xf32>
  // expected-error@+1 {{dimension 0 of 'arg1' (2) and dimension 0 of 'arg2' (1) must agree}}
  %out2, %lse2 = pbs.attention %q2, %k, %v, %s scale = 0.125
    : tensor<2x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<2x4x?x64xf16>, tensor<2x4x?xf32>
  return %out, %out2 : tensor<1x4x?x64xf16>, tensor<2x4x?x64xf16>
}

// -----

func.func @used_twice(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  // expected-error@+1 {{'counts' is used as}}
  %out2, %lse2 = pbs.attention %out, %k, %v, %s scale = 0.125 causal
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out2 : tensor<?x4x?x64xf16>
}

// -----

// expected-error@+1 {{entry @lists has lists whose rows are not one for each query block}}
func.func @lists(%q: tensor<?x4x300x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %c: tensor<?x4x4x2xi32>,
    %i: tensor<?x4x?x?xi16>) -> tensor<?x4x300x64xf16> {
  %s = pbs.selection_from_lists %c, %i : tensor<?x4x4x2xi32>, tensor<?x4x?x?xi16> -> !pbs.selection<128x128>
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x300x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x300x64xf16>, tensor<?x4x300xf32>
  return %out : tensor<?x4x300x64xf16>
}

// -----

func.func @batch(%q: tensor<70000x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<70000x4x?x64xf16> {
  // expected-error@+1 {{cannot run: it needs that 70000 is at most 65535}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<70000x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<70000x4x?x64xf16>, tensor<70000x4x?xf32>
  return %out : tensor<70000x4x?x64xf16>
}

// -----

func.func @heads(%q: tensor<?x70000x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x70000x?x64xf16> {
  // expected-error@+1 {{has 70000 heads, but a grid at most 65535}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x70000x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x70000x?x64xf16>, tensor<?x70000x?xf32>
  return %out : tensor<?x70000x?x64xf16>
}

// -----

func.func @scale(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  // expected-error@+1 {{scale (1.000000e+300) must be a normal number in f32, in which kernels compute, and so must its product with log2(e)}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 1.0e300
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xf16>
}

// -----

func.func @scale_times_log2e(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  // expected-error@+1 {{scale (3.000000e+38) must be a normal number in f32, in which kernels compute, and so must its product with log2(e)}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 3.0e38
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xf16>
}

// -----

// expected-error@+1 {{entry @callee is used by another operation: calls have no place in a plan}}
func.func @callee(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xf16>
}
func.func @caller(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  %out = call @callee(%q, %k, %v, %s) : (tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>)
      -> tensor<?x4x?x64xf16>
  return %out : tensor<?x4x?x64xf16>
}

// -----

// expected-error@+1 {{entry @blocks must have one block: control flow has no place in a plan}}
func.func @blocks(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  cf.br ^next
^next:
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xf16>
}

// -----

func.func @data(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %k, %c2 : tensor<?x1x?x64xf16>
  %odd = arith.remsi %n, %c2 : index
  %is_odd = arith.index_cast %odd : index to i1
  // expected-error@-2 {{'arith.remsi' op has no place in a launch plan}}
  %r = scf.if %is_odd -> tensor<?x4x?x64xf16> {
    %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    scf.yield %out : tensor<?x4x?x64xf16>
  } else {
    %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.25
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    scf.yield %out : tensor<?x4x?x64xf16>
  }
  return %r : tensor<?x4x?x64xf16>
}

// -----

func.func @unknown_length(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>,
    %m: tensor<?xf32>) -> tensor<?x4x?x64xf16> {
  %c2 = arith.constant 2 : index
  %n = tensor.dim %m, %c2 : tensor<?xf32>
  %is_long = arith.cmpi sgt, %n, %c2 : index
  // expected-error@+1 {{'scf.if' op needs lengths that are dimensions of tensors, or constants above 0, to be launched from a plan}}
  %r = scf.if %is_long -> tensor<?x4x?x64xf16> {
    %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    scf.yield %out : tensor<?x4x?x64xf16>
  } else {
    %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.25
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    scf.yield %out : tensor<?x4x?x64xf16>
  }
  return %r : tensor<?x4x?x64xf16>
}

// -----

func.func @gives_argument(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>,
    %c: tensor<1xi1>) -> tensor<?x4x?x64xf16> {
  %true = arith.constant true
  // expected-error@+1 {{'scf.if' op gives what its branch does not compute: this is not supported in a launch plan}}
  %r = scf.if %true -> tensor<?x4x?x64xf16> {
    %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    scf.yield %out : tensor<?x4x?x64xf16>
  } else {
    scf.yield %q : tensor<?x4x?x64xf16>
  }
  return %r : tensor<?x4x?x64xf16>
}

// -----

func.func @gives_twice(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> (tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>) {
  %true = arith.constant true
  // expected-error@+1 {{'scf.if' op gives a value twice: this is not supported in a launch plan}}
  %r:2 = scf.if %true -> (tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>) {
    %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    scf.yield %out, %out : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>
  } else {
    %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.25
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    %out2, %lse2 = pbs.attention %q, %k, %v, %s scale = 0.5
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    scf.yield %out, %out2 : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>
  }
  return %r#0, %r#1 : tensor<?x4x?x64xf16>, tensor<?x4x?x64xf16>
}

// -----

func.func @branch_in_branch(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  %true = arith.constant true
  %r = scf.if %true -> tensor<?x4x?x64xf16> {
    // expected-error@+1 {{'scf.if' op has no place in a launch plan}}
    %inner = scf.if %true -> tensor<?x4x?x64xf16> {
      scf.yield %q : tensor<?x4x?x64xf16>
    } else {
      scf.yield %q : tensor<?x4x?x64xf16>
    }
    %out, %lse = pbs.attention %inner, %k, %v, %s scale = 0.125
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    scf.yield %out : tensor<?x4x?x64xf16>
  } else {
    scf.yield %q : tensor<?x4x?x64xf16>
  }
  return %r : tensor<?x4x?x64xf16>
}

// -----

func.func @loop(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>)
    -> tensor<?x4x?x64xf16> {
  %c1 = arith.constant 1 : index
  // expected-error@+1 {{'scf.for' op has no place in a launch plan}}
  %r = scf.for %i = %c1 to %c1 step %c1 iter_args(%x = %q) -> tensor<?x4x?x64xf16> {
    %out, %lse = pbs.attention %x, %k, %v, %s scale = 0.125
      : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
     -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
    scf.yield %out : tensor<?x4x?x64xf16>
  }
  return %r : tensor<?x4x?x64xf16>
}

// -----

func.func @constant(%k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>, %s: !pbs.selection<128x128>) -> tensor<1x4x5x64xf16> {
  // expected-error@+1 {{'arith.constant' op has no place in a launch plan}}
  %q = arith.constant dense<1.0> : tensor<1x4x5x64xf16>
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    : tensor<1x4x5x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16>, !pbs.selection<128x128>
   -> tensor<1x4x5x64xf16>, tensor<1x4x5xf32>
  return %out : tensor<1x4x5x64xf16>
}
