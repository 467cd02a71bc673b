// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --convert-pbs-to-pbsgpu --split-input-file --verify-diagnostics

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

// expected-error@+1 {{entry @lists has 4 blocks of 128 rows where 300 rows have 3}}
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

// -----

func.func @prefill(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>, %v: tensor<?x1x?x64xf16>) -> tensor<?x4x?x64xf16> {
  // expected-error@+1 {{'pbs.prefill' op must be expanded before, with --pbs-expand-prefill}}
  %out, %lse = pbs.prefill %q, %k, %v permutation = per_query_head blocks = [128, 128] segment = 256 block_score = #pbs.pooled<mean>
    rule = #pbs.top_p<0.9> scale = 0.125 causal
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16>, tensor<?x1x?x64xf16> -> tensor<?x4x?x64xf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xf16>
}

// -----

func.func @identity_length(%b: tensor<?xf32>) -> !pbs.permutation<heads = 1, segment = 256> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %b, %c0 : tensor<?xf32>
  // expected-error@+1 {{'pbs.identity_permutation' op needs lengths that are dimensions of tensors, or constants above 0}}
  %p = pbs.identity_permutation %n, %c0 : !pbs.permutation<heads = 1, segment = 256>
  return %p : !pbs.permutation<heads = 1, segment = 256>
}

// -----

func.func @scores_length(%q: tensor<?x4x?x64xf32>, %k: tensor<?x4x?x64xf32>) -> tensor<?x4x?x?xf32> {
  %c2 = arith.constant 2 : index
  %n = arith.constant -3 : index
  %nq = tensor.dim %q, %c2 : tensor<?x4x?x64xf32>
  // expected-error@+1 {{'pbs.block_scores' op needs lengths that are dimensions of tensors, or constants above 0}}
  %s = pbs.block_scores %q, %k lengths(%nq, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x?xf32>
  return %s : tensor<?x4x?x?xf32>
}

// -----

// A dimension of what no kernel computes is none that a plan has.
func.func @select_length(%s: tensor<?x4x?x?xf32>) -> !pbs.selection<128x128> {
  %c0 = arith.constant 0 : index
  %t = arith.constant dense<1.0> : tensor<500xf32>
  %n = tensor.dim %t, %c0 : tensor<500xf32>
  // expected-error@+1 {{'pbs.select' op needs lengths that are dimensions of tensors, or constants above 0}}
  %l = pbs.select %s lengths(%n, %n) rule = #pbs.all segment = 256 : tensor<?x4x?x?xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

func.func @mask_length(%m: tensor<?x4x?x?xi1>) -> !pbs.selection<128x128> {
  %c0 = arith.constant 0 : index
  // expected-error@+1 {{'pbs.selection_from_mask' op needs lengths that are dimensions of tensors, or constants above 0}}
  %l = pbs.selection_from_mask %m lengths(%c0, %c0) : tensor<?x4x?x?xi1> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

func.func @importance_scale(%q: tensor<?x4x?x64xf16>, %k: tensor<?x1x?x64xf16>) -> tensor<?x4x?xf32> {
  // expected-error@+1 {{scale (1.000000e-40) must be a normal number in f32, in which kernels compute, and so must its product with log2(e)}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 1.0e-40
    : tensor<?x4x?x64xf16>, tensor<?x1x?x64xf16> -> tensor<?x4x?xf32>
  return %i : tensor<?x4x?xf32>
}

// -----

func.func @scores_scale(%q: tensor<1x4x8x64xf32>, %k: tensor<1x4x8x64xf32>) -> tensor<1x4x8x8xf32> {
  %n = arith.constant 1000 : index
  // expected-error@+1 {{scale (1.000000e+39) must be a normal number in f32}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 1.0e39
    : tensor<1x4x8x64xf32>, tensor<1x4x8x64xf32> -> tensor<1x4x8x8xf32>
  return %s : tensor<1x4x8x8xf32>
}

// -----

// The scores that pbs.select computes itself.
func.func @fused_scores_scale(%q: tensor<1x4x8x64xf32>, %k: tensor<1x4x8x64xf32>) -> !pbs.selection<128x128> {
  %n = arith.constant 1000 : index
  // expected-error@+1 {{scale (1.000000e+39) must be a normal number in f32}}
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 1.0e39
    : tensor<1x4x8x64xf32>, tensor<1x4x8x64xf32> -> tensor<1x4x8x8xf32>
  %l = pbs.select %s lengths(%n, %n) rule = #pbs.all segment = 256 : tensor<1x4x8x8xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

func.func @too_many_keys(%x: tensor<?xf32>) -> !pbs.selection<128x64> {
  %c0 = arith.constant 0 : index
  %n = tensor.dim %x, %c0 : tensor<?xf32>
  %nkv = arith.constant 1048577 : index
  // expected-error@+1 {{cannot run: it needs that 1048577 is at most 1048576, 16384 key blocks}}
  %l = pbs.full_selection %n lengths(%n, %nkv) heads = 4 : !pbs.selection<128x64>
  return %l : !pbs.selection<128x64>
}

// -----

func.func @batch_of_importance(%q: tensor<70000x4x?x64xf16>, %k: tensor<?x1x?x64xf16>) -> tensor<?x4x?xf32> {
  // expected-error@+1 {{cannot run: it needs that 70000 is at most 65535}}
  %i = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
    : tensor<70000x4x?x64xf16>, tensor<?x1x?x64xf16> -> tensor<?x4x?xf32>
  return %i : tensor<?x4x?xf32>
}

// -----

func.func @heads_of_pool(%q: tensor<?x70000x?x64xf16>) -> tensor<?x70000x?x64xf32> {
  // expected-error@+1 {{has 70000 heads, but a grid at most 65535}}
  %p = pbs.pool %q mean block = 128 : tensor<?x70000x?x64xf16> -> tensor<?x70000x?x64xf32>
  return %p : tensor<?x70000x?x64xf32>
}

// -----

func.func @permutation_of_other_keys(%m: tensor<1x4x8x8xi1>) -> !pbs.selection<128x128> {
  %c1 = arith.constant 1 : index
  %n = arith.constant 1000 : index
  %other = arith.constant 999 : index
  %p = pbs.identity_permutation %c1, %other : !pbs.permutation<heads = 4, segment = 256>
  // expected-error@+1 {{the lengths of keys and permutation (1000 and 999) must agree}}
  %l = pbs.selection_from_mask %m lengths(%n, %n) permutation(%p)
    : tensor<1x4x8x8xi1>, !pbs.permutation<heads = 4, segment = 256> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

func.func @permutation_of_other_batch(%m: tensor<1x4x8x8xi1>) -> !pbs.selection<128x128> {
  %c2 = arith.constant 2 : index
  %n = arith.constant 1000 : index
  %p = pbs.identity_permutation %c2, %n : !pbs.permutation<heads = 4, segment = 256>
  // expected-error@+1 {{the batches of lists and permutation (1 and 2) must agree}}
  %l = pbs.selection_from_mask %m lengths(%n, %n) permutation(%p)
    : tensor<1x4x8x8xi1>, !pbs.permutation<heads = 4, segment = 256> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

// The lists of one length, the scores of another.
func.func @scores_of_other_keys(%q: tensor<1x4x8x64xf32>, %k: tensor<1x4x8x64xf32>) -> !pbs.selection<128x128> {
  %n = arith.constant 1000 : index
  %more = arith.constant 1001 : index
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<1x4x8x64xf32>, tensor<1x4x8x64xf32> -> tensor<1x4x8x8xf32>
  // expected-error@+1 {{the key lengths of scores and lists (1000 and 1001) must agree}}
  %l = pbs.select %s lengths(%n, %more) rule = #pbs.all segment = 256 : tensor<1x4x8x8xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

func.func @scores_of_other_queries(%q: tensor<1x4x8x64xf32>, %k: tensor<1x4x8x64xf32>) -> !pbs.selection<128x128> {
  %n = arith.constant 1000 : index
  %less = arith.constant 999 : index
  %s = pbs.block_scores %q, %k lengths(%n, %n) blocks = [128, 128] segment = 256 scale = 0.125
    : tensor<1x4x8x64xf32>, tensor<1x4x8x64xf32> -> tensor<1x4x8x8xf32>
  // expected-error@+1 {{the query lengths of scores and lists (1000 and 999) must agree}}
  %l = pbs.select %s lengths(%less, %n) rule = #pbs.all segment = 256 : tensor<1x4x8x8xf32> -> !pbs.selection<128x128>
  return %l : !pbs.selection<128x128>
}

// -----

func.func @lists_of_other_keys(%q: tensor<1x4x1000x64xf16>, %k: tensor<1x1x1000x64xf16>) -> tensor<1x4x1000x64xf16> {
  %c1 = arith.constant 1 : index
  %n = arith.constant 1000 : index
  %more = arith.constant 2000 : index
  %s = pbs.full_selection %c1 lengths(%n, %more) heads = 4 : !pbs.selection<128x128>
  // expected-error@+1 {{the key lengths of attention and lists (1000 and 2000) must agree}}
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<1x4x1000x64xf16>, tensor<1x1x1000x64xf16>, tensor<1x1x1000x64xf16>, !pbs.selection<128x128>
   -> tensor<1x4x1000x64xf16>, tensor<1x4x1000xf32>
  return %out : tensor<1x4x1000x64xf16>
}

// -----

func.func @lists_of_other_queries(%q: tensor<1x4x900x64xf16>, %k: tensor<1x1x1000x64xf16>) -> tensor<1x4x900x64xf16> {
  %c1 = arith.constant 1 : index
  %n = arith.constant 1000 : index
  %s = pbs.full_selection %c1 lengths(%n, %n) heads = 4 : !pbs.selection<128x128>
  // expected-error@+1 {{the query lengths of attention and lists (900 and 1000) must agree}}
  %out, %lse = pbs.attention %q, %k, %k, %s scale = 0.125
    : tensor<1x4x900x64xf16>, tensor<1x1x1000x64xf16>, tensor<1x1x1000x64xf16>, !pbs.selection<128x128>
   -> tensor<1x4x900x64xf16>, tensor<1x4x900xf32>
  return %out : tensor<1x4x900x64xf16>
}

// -----

func.func @schedule(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                    %s: !pbs.selection<64x64>) -> tensor<?x4x?x64xbf16> {
  // expected-error@+1 {{schedule's key_tile (128) does not divide key blocks of 64}}
  %out, %lse = pbs.attention %q, %k, %v, %s scale = 0.125
    {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 128, warps = 4, stages = 2>}
    : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, !pbs.selection<64x64>
   -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
  return %out : tensor<?x4x?x64xbf16>
}
