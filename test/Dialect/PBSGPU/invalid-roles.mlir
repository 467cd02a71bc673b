// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics

// One broken constraint of docs/spec-pbsgpu.md each.

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c1: has 1 regions, 1 names, 2 warps and 1 registers, but needs as many of each, at least one}}
    "pbsgpu.roles"() <{names = ["a"], warps = array<i64: 2, 2>, registers = array<i64: 0>}> ({
      "pbsgpu.end_role"() : () -> ()
    }) : () -> ()
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c1: has 0 regions, 0 names, 0 warps and 0 registers}}
    "pbsgpu.roles"() <{names = [], warps = array<i64>, registers = array<i64>}> : () -> ()
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c2: a role has 0 warps, but needs at least one}}
    pbsgpu.roles "a" warps = 4 {
      pbsgpu.end_role
    } "b" warps = 0 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c3: the roles have 3 warps, but the kernel has 4}}
    pbsgpu.roles "a" warps = 1 {
      pbsgpu.end_role
    } "b" warps = 2 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c4: a role's registers (20) must be a multiple of 8 from 24 to 256, in every role or in none}}
    pbsgpu.roles "a" warps = 4 registers = 20 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c4: a role's registers (28) must be a multiple of 8 from 24 to 256, in every role or in none}}
    pbsgpu.roles "a" warps = 4 registers = 28 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c4: a role's registers (264) must be a multiple of 8 from 24 to 256, in every role or in none}}
    pbsgpu.roles "a" warps = 4 registers = 264 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 8 {
    // expected-error@+1 {{roles_c4: a role's registers (0) must be a multiple of 8 from 24 to 256, in every role or in none}}
    pbsgpu.roles "a" warps = 4 registers = 40 {
      pbsgpu.end_role
    } "b" warps = 4 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c5: role "b" takes registers from warp 2 on, but a group of four warps takes the same}}
    pbsgpu.roles "a" warps = 2 registers = 40 {
      pbsgpu.end_role
    } "b" warps = 2 registers = 48 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 6 {
    // expected-error@+1 {{roles_c5: the roles have 6 warps and take registers, which groups of four warps do}}
    pbsgpu.roles "a" warps = 4 registers = 40 {
      pbsgpu.end_role
    } "b" warps = 2 registers = 40 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 12 {
    // expected-error@+1 {{roles_c6: the roles take 66560 registers, but the CTA has 64512}}
    pbsgpu.roles "a" warps = 4 registers = 40 {
      pbsgpu.end_role
    } "b" warps = 8 registers = 240 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c7: a kernel splits into roles once}}
    pbsgpu.roles "a" warps = 4 {
      pbsgpu.end_role
    }
    pbsgpu.roles "b" warps = 4 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{roles_c8: no block of a role ends with pbsgpu.end_role}}
    pbsgpu.roles "a" warps = 4 {
      llvm.unreachable
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    pbsgpu.roles "a" warps = 4 {
      // expected-error@+1 {{roles_c9: means the whole CTA and does not stand in a role; pbsgpu.role_barrier waits for the role}}
      gpu.barrier
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%n: index, %x: f32) warps = 4 {
    %if = arith.cmpi eq, %n, %n : index
    pbsgpu.roles "a" warps = 4 {
      scf.if %if {
        // expected-error@+1 {{roles_c9: means the whole CTA and does not stand in a role}}
        %sum = gpu.all_reduce add %x uniform {} : (f32) -> f32
      }
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    // expected-error@+1 {{role_barrier_c1: stands outside of roles; gpu.barrier waits for the CTA}}
    pbsgpu.role_barrier
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 8 {
    // expected-error@+1 {{kernel_c5: '!pbsgpu.fragment<64x64xf32, accumulator, warps = 4>' belongs to 4 warps, but stands where 8 run}}
    %splat = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 4>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 6 {
    pbsgpu.roles "a" warps = 4 {
      // expected-error@+1 {{kernel_c5: '!pbsgpu.fragment<64x64xf32, accumulator, warps = 2>' belongs to 2 warps, but stands where 4 run}}
      %splat = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<64x64xf32, accumulator, warps = 2>
      pbsgpu.end_role
    } "b" warps = 2 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%x: f32) warps = 8 {
    %tile = pbsgpu.alloc_tile : !pbsgpu.tile<128x64xbf16>
    %zero = pbsgpu.splat %x : f32 -> !pbsgpu.fragment<128x128xf32, accumulator, warps = 8>
    pbsgpu.roles "a" warps = 4 {
      // expected-error@+1 {{kernel_c5: '!pbsgpu.fragment<128x128xf32, accumulator, warps = 8>' belongs to 8 warps, but stands where 4 run}}
      %begun = pbsgpu.start_mma %tile, %tile transposed, %zero
        : !pbsgpu.tile<128x64xbf16>, !pbsgpu.tile<128x64xbf16>, !pbsgpu.fragment<128x128xf32, accumulator, warps = 8>
       -> !pbsgpu.pending<128x128xf32, accumulator, warps = 8>
      pbsgpu.end_role
    } "b" warps = 4 {
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}
