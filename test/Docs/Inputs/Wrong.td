// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Descriptions whose examples must not pass, but for the first two.

include "mlir/Pass/PassBase.td"

class Example<string text> : Pass<"canonicalize", "::mlir::ModuleOp"> {
  let description = text;
}

defvar before = [{
    Before:

    ```mlir
    func.func @f(%a: i32, %b: i32) -> i32 {
      %zero = arith.constant 0 : i32
      %c = arith.addi %a, %zero : i32
      %d = arith.subi %c, %b : i32
      %e = arith.muli %d, %b : i32
      return %e : i32
    }
    ```
}];

def Exact : Example<before # [{
    After:

    ```mlir
    func.func @f(%x: i32, %y: i32) -> i32 {
      %0 = arith.subi %x, %y : i32
      %1 = arith.muli %0, %y : i32
      return %1 : i32
    }
    ```
}]>;

def Elided : Example<before # [{
    After:

    ```mlir
    !element = i32
    func.func @f(%x: !element, %y: !element)
        -> !element {
      ...
      %product = arith.muli %difference, %y : !element
      ...
    }
    ```
}]>;

def None : Example<"Makes things canonical.">;

def NoAfter : Example<before>;

def AfterWithoutBlock : Example<before # [{
    After: nothing is left.
}]>;

def OtherOperands : Example<before # [{
    After:

    ```mlir
    func.func @f(%x: i32, %y: i32) -> i32 {
      %0 = arith.subi %y, %x : i32
      %1 = arith.muli %0, %y : i32
      return %1 : i32
    }
    ```
}]>;

def OtherOperandsElided : Example<before # [{
    After:

    ```mlir
    func.func @f(%x: i32, %y: i32) -> i32 {
      ...
      %1 = arith.muli %0, %x : i32
      ...
    }
    ```
}]>;

def OtherNamesElided : Example<before # [{
    After:

    ```mlir
    ...
      %1 = arith.muli %0, %y : i32
      return %0 : i32
    }
    ```
}]>;

def OneNameForTwoElided : Example<before # [{
    After:

    ```mlir
    ...
      %1 = arith.muli %y, %y : i32
      return %1 : i32
    }
    ```
}]>;

def ShortElided : Example<before # [{
    After:

    ```mlir
    ...
      %1 = arith.muli %0, %y : i32
    ```
}]>;

def HalfALineElided : Example<before # [{
    After:

    ```mlir
    ...
      %1 = arith.muli %0,
    ...
    ```
}]>;

def NothingShown : Example<before # [{
    After:

    ```mlir
    ...
    ```
}]>;

def OtherOptions : Example<before # [{
    After, with `nothing=1`:

    ```mlir
    ...
    ```
}]>;

def Unchanged : Example<[{
    Before:

    ```mlir
    func.func @f() {
      return
    }
    ```

    After:

    ```mlir
    func.func @f() {
      return
    }
    ```
}]>;

def NoIR : Example<[{
    Before:

    ```mlir
    func.func @f() { ... }
    ```

    After:

    ```mlir
    ...
    ```
}]>;

def PrintsOther : Example<before # [{
    Prints:

    ```text
    something
    ```
}]>;

def OtherOperation : Pass<"canonicalize", "::pbsgpu::PlanOp"> {
  let description = before # [{
    After:

    ```mlir
    ...
    ```
  }];
}
