// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_DIALECT_PBS_TRANSFORMS_PASSES_TD
#define PBS_DIALECT_PBS_TRANSFORMS_PASSES_TD

include "mlir/Pass/PassBase.td"

def PBSSetTarget : Pass<"pbs-set-target", "::mlir::ModuleOp"> {
  let summary = "Records the GPU that a module is compiled for";
  let description = [{
    Everything after it that depends on the GPU reads it from the module, at
    whatever stop, and kernels copy it.

    Before:

    ```mlir
    module {
      func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
        return %x : tensor<4xf32>
      }
    }
    ```

    After, with `chip=sm_90a`:

    ```mlir
    module attributes {pbs.target = #nvvm.target<O = 3, chip = "sm_90a", features = "+ptx86">} {
      func.func @f(%x: tensor<4xf32>) -> tensor<4xf32> {
        return %x : tensor<4xf32>
      }
    }
    ```

    A module that has a target keeps it; another one is an error.
  }];
  let options = [
    Option<"chip", "chip", "std::string", "\"\"",
           "The GPU to compile for; when empty, the module's, or else sm_80">,
    Option<"ptxVersion", "ptx-version", "std::string", "\"\"",
           "PTX ISA version such as 8.6; when empty, the module's, or else the chip's default: the lowest with all its instructions">
  ];
  let dependentDialects = ["::mlir::NVVM::NVVMDialect", "::pbs::PBSDialect"];
}

def PBSExpandPrefill : Pass<"pbs-expand-prefill", "::mlir::func::FuncOp"> {
  let summary = "Writes the stages of pbs.prefill one by one";
  let description = [{
    Importance of the keys, their order inside segments, permuted keys and
    values, pooled blocks, block scores, selection, attention. Without a
    permutation the first three are left out. The score region goes to attention.

    Before:

    ```mlir
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>)
        -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %out, %lse = pbs.prefill %q, %k, %v permutation = per_query_head blocks = [128, 128] segment = 256
                   block_score = #pbs.pooled<mean> rule = #pbs.top_p<0.9 : f64> scale = 0.125 causal
          : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
    ```

    After:

    ```mlir
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>)
        -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %c2 = arith.constant 2 : index
      %query_length = tensor.dim %q, %c2 : tensor<?x4x?x64xbf16>
      %key_length = tensor.dim %k, %c2 : tensor<?x1x?x64xbf16>
      %importance = pbs.importance %q, %k query_block = 128 segment = 256 scale = 0.125
          : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16> -> tensor<?x4x?xf32>
      %p = pbs.segment_sort %importance : tensor<?x4x?xf32> -> !pbs.permutation<heads = 4, segment = 256>
      %kp = pbs.permute %k, %p
          : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
         -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
      %vp = pbs.permute %v, %p
          : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
         -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
      %qb = pbs.pool %q mean block = 128 : tensor<?x4x?x64xbf16> -> tensor<?x4x?x64xf32>
      %kb = pbs.pool %kp mean block = 128
          : !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256> -> tensor<?x4x?x64xf32>
      %scores = pbs.block_scores %qb, %kb lengths(%query_length, %key_length)
                blocks = [128, 128] segment = 256 scale = 0.125 causal
          : tensor<?x4x?x64xf32>, tensor<?x4x?x64xf32> -> tensor<?x4x?x?xf32>
      %selection = pbs.select %scores lengths(%query_length, %key_length) permutation(%p)
                   rule = #pbs.top_p<0.9 : f64> segment = 256 causal
          : tensor<?x4x?x?xf32>, !pbs.permutation<heads = 4, segment = 256> -> !pbs.selection<128x128>
      %out, %lse = pbs.attention %q, %kp, %vp, %selection permutation(%p) scale = 0.125 causal
          : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
            !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
            !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
    ```

    Remark: the kinds of permutation and pooling that were written.
  }];
  let dependentDialects = ["::pbs::PBSDialect", "::mlir::arith::ArithDialect", "::mlir::tensor::TensorDialect"];
}

def PBSChooseSchedule : Pass<"pbs-choose-schedule", "::mlir::ModuleOp"> {
  let summary = "Decides how attention is cut into tiles";
  let description = [{
    Each attention gets the most warps that have 16 rows each, or as many times 16;
    and the largest key tile whose accumulators fit the registers that so many
    threads have, and whose stages fit the shared memory of a CTA of the module's
    GPU. The option `schedule` overrules it, and turns optional passes on kernels
    off.

    Before:

    ```mlir
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                 %selection: !pbs.selection<128x128>) -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %out, %lse = pbs.attention %q, %k, %v, %selection scale = 0.125
          : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, !pbs.selection<128x128>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
    ```

    After, with `schedule=stages=3,walk-list=off`:

    ```mlir
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                 %selection: !pbs.selection<128x128>) -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %out, %lse = pbs.attention %q, %k, %v, %selection scale = 0.125
          {pbsgpu.schedule = #pbsgpu.schedule<key_tile = 128, warps = 8, stages = 3, off = ["walk-list"]>}
          : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>, !pbs.selection<128x128>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
    ```

    On sm_90a, attention gets a kernel of that chip's own where its warps are groups
    of four with 16 rows each. All other attention on sm_90 and later takes the
    kernel that all chips run: its schedule turns `signal-copies` off, without which
    the passes behind it change nothing.

    Attention that has a schedule keeps it, at every stop; an option that says
    another is an error.

    Remarks: the schedule, and the shared memory and registers that it needs; on
    sm_90 and later, why the portable kernel is taken.
  }];
  let options = [
    Option<"schedule", "schedule", "std::string", "\"\"",
           "Parts of the schedule, such as key-tile=64,warps=4,walk-list=off">
  ];
  let dependentDialects = ["::pbs::PBSDialect", "::pbsgpu::PBSGPUDialect"];
}

def PBSFusePermutation : Pass<"pbs-fuse-permutation", "::mlir::func::FuncOp"> {
  let summary = "Decides whether attention gathers keys and values or reads permuted copies";
  let description = [{
    Attention over keys and values that were written in permuted order becomes
    attention over the originals, which gathers their rows through the
    permutation (`strategy=gather`). The permuted copies disappear unless
    something else reads them; pools of permuted keys gather too, then.

    Before:

    ```mlir
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                 %p: !pbs.permutation<heads = 4, segment = 256>, %selection: !pbs.selection<128x128>)
        -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %kp = pbs.permute %k, %p
          : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
         -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
      %vp = pbs.permute %v, %p
          : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
         -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
      %out, %lse = pbs.attention %q, %kp, %vp, %selection permutation(%p) scale = 0.125 causal
          : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
            !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
            !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
    ```

    After:

    ```mlir
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                 %p: !pbs.permutation<heads = 4, segment = 256>, %selection: !pbs.selection<128x128>)
        -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %out, %lse = pbs.attention %q, %k, %v, %selection permutation(%p) scale = 0.125 causal
          : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>,
            !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
    ```

    With `strategy=write` it is the other way round: attention that gathers, and
    pools of the same keys, read what `pbs.permute` writes before them. The
    function after is that before, then.

    With `strategy=auto` the cost analysis decides (docs/Rationale/Fusion.md)
    for the share of blocks that `pbs.expected_density` of the function, or else
    the option `expected-density`, says; without either it gathers, unless the
    selection is full. Where the number of keys is dynamic and the better choice
    depends on it, both are emitted under a condition. Attentions in branches
    are left alone: they have been decided.

    Before:

    ```mlir
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                 %p: !pbs.permutation<heads = 4, segment = 256>, %selection: !pbs.selection<128x128>)
        -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %out, %lse = pbs.attention %q, %k, %v, %selection permutation(%p) scale = 0.125 causal
          : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>,
            !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
         -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      return %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
    ```

    After, with `strategy=auto expected-density=0.3`:

    ```mlir
    func.func @f(%q: tensor<?x4x?x64xbf16>, %k: tensor<?x1x?x64xbf16>, %v: tensor<?x1x?x64xbf16>,
                 %p: !pbs.permutation<heads = 4, segment = 256>, %selection: !pbs.selection<128x128>)
        -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
      %c2 = arith.constant 2 : index
      %length = tensor.dim %k, %c2 : tensor<?x1x?x64xbf16>
      %crossover = arith.constant 10240 : index
      %is_long = arith.cmpi sge, %length, %crossover : index
      %result:2 = scf.if %is_long -> (tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>) {
        %kp = pbs.permute %k, %p
            : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
           -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
        %vp = pbs.permute %v, %p
            : tensor<?x1x?x64xbf16>, !pbs.permutation<heads = 4, segment = 256>
           -> !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>
        %out, %lse = pbs.attention %q, %kp, %vp, %selection permutation(%p) scale = 0.125 causal
            : tensor<?x4x?x64xbf16>, !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
              !pbs.permuted<tensor<?x4x?x64xbf16>, segment = 256>,
              !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
           -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
        scf.yield %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      } else {
        %out, %lse = pbs.attention %q, %k, %v, %selection permutation(%p) scale = 0.125 causal
            : tensor<?x4x?x64xbf16>, tensor<?x1x?x64xbf16>, tensor<?x1x?x64xbf16>,
              !pbs.selection<128x128>, !pbs.permutation<heads = 4, segment = 256>
           -> tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
        scf.yield %out, %lse : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
      }
      return %result#0, %result#1 : tensor<?x4x?x64xbf16>, tensor<?x4x?xf32>
    }
    ```

    Declines where keys and values went through different permutations, where
    the permutation has neither the query heads nor the key heads, or where
    `auto` would save nothing since something else reads the copies.

    Remarks: the strategy, and of `auto` the bytes and microseconds that were
    predicted for both, for how many keys, and from how many on writing is
    better; or why not.
  }];
  let options = [
    Option<"strategy", "strategy", "std::string", "\"gather\"",
           "gather: read through the permutation in the kernel; write: read permuted copies; auto: what costs less">,
    Option<"expectedDensity", "expected-density", "double", "0",
           "Share of blocks that attentions list, for auto, where the function does not say it; 0: not known">
  ];
  let dependentDialects = [
    "::mlir::arith::ArithDialect", "::mlir::scf::SCFDialect",
    "::mlir::tensor::TensorDialect", "::pbs::PBSDialect", "::pbsgpu::PBSGPUDialect"
  ];
}

#endif // PBS_DIALECT_PBS_TRANSFORMS_PASSES_TD
