// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// RUN: pbs-opt %s --split-input-file --verify-diagnostics

// One broken constraint of docs/spec-pbsgpu.md each.

func.func @f(%counter: memref<1xi64>) {
  // expected-error@+1 {{claim_c1: counter 'memref<1xi64>' must be a row of i32}}
  %number = pbsgpu.claim %counter : memref<1xi64>
  return
}

// -----

func.func @f(%counter: memref<i32>) {
  // expected-error@+1 {{claim_c1: counter 'memref<i32>' must be a row of i32}}
  %number = pbsgpu.claim %counter : memref<i32>
  return
}

// -----

func.func @f() {
  // expected-error@+1 {{alloc_items_c1: stands in the first block of a kernel, where its signals are made ready}}
  %items = pbsgpu.alloc_items : !pbsgpu.item_ring<stages = 2>
  return
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    cf.br ^next
    ^next:
    // expected-error@+1 {{alloc_items_c1: stands in the first block of a kernel}}
    %items = pbsgpu.alloc_items : !pbsgpu.item_ring<stages = 2>
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%i: index) warps = 4 {
    pbsgpu.roles "a" warps = 4 {
      // expected-error@+1 {{alloc_items_c1: stands in the first block of a kernel}}
      %items = pbsgpu.alloc_items : !pbsgpu.item_ring<stages = 2>
      pbsgpu.end_role
    }
    pbsgpu.return
  }
}

// -----

gpu.module @m {
  pbsgpu.kernel @k(%n: index, %x: i32) warps = 4 {
    %items = pbsgpu.alloc_items : !pbsgpu.item_ring<stages = 2>
    // expected-error@+1 {{publish_c1: has 3 values, but an item has four}}
    pbsgpu.publish %items[%n], %x, %x, %x : !pbsgpu.item_ring<stages = 2>
    pbsgpu.return
  }
}

// -----

func.func @f(%items: !pbsgpu.item_ring<stages = 2>, %n: index, %x: i32) {
  // expected-error@+1 {{publish_c2: the items are not what a pbsgpu.alloc_items gives}}
  pbsgpu.publish %items[%n], %x, %x, %x, %x : !pbsgpu.item_ring<stages = 2>
  return
}

// -----

func.func @f(%items: !pbsgpu.item_ring<stages = 2>, %n: index) {
  // expected-error@+1 {{receive_c1: the items are not what a pbsgpu.alloc_items gives}}
  %x:4 = pbsgpu.receive %items[%n] : !pbsgpu.item_ring<stages = 2>
  return
}

// -----

func.func @f(%items: !pbsgpu.item_ring<stages = 2>, %n: index) {
  // expected-error@+1 {{request_c1: the items are not what a pbsgpu.alloc_items gives}}
  pbsgpu.request %items[%n] : !pbsgpu.item_ring<stages = 2>
  return
}

// -----

func.func @f(%items: !pbsgpu.item_ring<stages = 2>, %n: index) {
  // expected-error@+1 {{await_request_c1: the items are not what a pbsgpu.alloc_items gives}}
  pbsgpu.await_request %items[%n] : !pbsgpu.item_ring<stages = 2>
  return
}
