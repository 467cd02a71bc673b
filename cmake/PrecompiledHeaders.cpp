// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
// Gives the precompiled headers an object library to live in.
