// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Warps of one CTA that do different things at the same time.

#ifndef PBS_DIALECT_PBSGPU_IR_PBSGPUROLEOPS_TD
#define PBS_DIALECT_PBSGPU_IR_PBSGPUROLEOPS_TD

def PBSGPU_RolesOp : PBSGPU_Op<"roles", [
    RecursiveMemoryEffects, HasParent<"KernelOp">,
    DeclareOpInterfaceMethods<RegionBranchOpInterface>]> {
  let summary = "splits the CTA's warps into roles that run side by side";
  let description = [{
    The warps of the CTA in order: the first `warps` of them run the first
    region, and so on; together they are all warps of the kernel. A warp goes on
    after it when it has ended its own role. The regions may have many blocks and
    end with `pbsgpu.end_role`.

    Inside a role its warps are those that operations mean by all warps:
    fragments are spread over them, copies are shared among them,
    `pbsgpu.await_copies` and `pbsgpu.role_barrier` wait for them. `gpu.barrier`
    and `gpu.all_reduce`, which mean the whole CTA, do not stand in roles;
    `gpu.thread_id` still counts the threads of the CTA.

    With `registers` a role takes as many registers for each thread (PTX ISA,
    "setmaxnreg"), a multiple of 8 from 24 to 256; either all roles do or none
    does, and roles that share a group of four warps take the same. Together they take no more
    than the CTA has when it starts, 65,536 in equal shares.

    ```mlir
    pbsgpu.roles "producer" warps = 4 registers = 56 {
      ...
      pbsgpu.end_role
    } "consumer" warps = 8 registers = 224 {
      ...
      pbsgpu.end_role
    }
    ```
  }];
  let arguments = (ins StrArrayAttr:$names, DenseI64ArrayAttr:$warps, DenseI64ArrayAttr:$registers);
  let regions = (region VariadicRegion<MinSizedRegion<1>>:$bodies);
  let assemblyFormat = "custom<Roles>($names, $warps, $registers, $bodies) attr-dict";
  let hasVerifier = 1;
  let hasRegionVerifier = 1;
  let extraClassDeclaration = [{
    /// The first warp of a role among those of the CTA.
    int64_t getFirstWarp(unsigned role);
    /// The role whose region holds `region`, if one does; null and 0 otherwise.
    static std::pair<RolesOp, unsigned> findRole(::mlir::Region *region);
    /// Registers of each thread of a CTA of that many warps before its roles take
    /// theirs: as many as a multiprocessor has for it, in steps of 8.
    static int64_t getRegistersAtStart(int64_t warps);
    /// Registers that each thread of `warps` warps can take where `others`, pairs
    /// of warps and registers, are the other roles.
    static int64_t getRegistersLeft(int64_t warps, ::llvm::ArrayRef<std::pair<int64_t, int64_t>> others);
    /// Registers of each thread of four warps that copy for `warps` warps which
    /// compute, and may gather rows.
    static int64_t getRegistersOfProducer(int64_t warps, bool gathers);
    /// Registers of a thread that multiplies, for all but the fragments, if others
    /// copy and the tensor cores read tiles in shared memory themselves.
    static constexpr int64_t registersBesideFragments = 32;
    /// Whether the roles take registers.
    bool takeRegisters();
    /// How many warps run `op`: those of its role, or else of its kernel. 0
    /// outside of kernels.
    static int64_t countWarps(::mlir::Operation *op);
  }];
}

def PBSGPU_EndRoleOp : PBSGPU_Op<"end_role", [Pure, Terminator, ReturnLike, HasParent<"RolesOp">]> {
  let summary = "ends a role";
  let assemblyFormat = "attr-dict";
}

def PBSGPU_RoleBarrierOp : PBSGPU_Op<"role_barrier", [PBSGPU_Synchronises]> {
  let summary = "waits for all threads of the role";
  let description = [{
    What they have written to memory is visible to all of them afterwards.
  }];
  let assemblyFormat = "attr-dict";
  let hasVerifier = 1;
}

#endif // PBS_DIALECT_PBSGPU_IR_PBSGPUROLEOPS_TD
