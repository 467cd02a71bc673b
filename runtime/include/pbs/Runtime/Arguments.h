// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Checks of what a caller passes to an entry of a plan. All of them throw Error
// with one line that names the argument, the dimension, what was expected and
// what was found.

#ifndef PBS_RUNTIME_ARGUMENTS_H
#define PBS_RUNTIME_ARGUMENTS_H

#include "pbs/Runtime/Array.h"
#include "pbs/Runtime/Device.h"
#include "pbs/Runtime/Plan.h"

#include <string>
#include <vector>

namespace pbs::runtime {

/// A tensor in a device's memory that somebody else owns.
struct TensorDescriptor {
  ElementType type = ElementType::F32;
  std::vector<int64_t> shape;
  /// In elements, as many as there are extents.
  std::vector<int64_t> strides;
  /// Of element (0, ..., 0).
  DeviceAddress address = 0;
  /// Bytes from the address to the end of the allocation.
  uint64_t storageBytes = 0;
};

/// The descriptor of a host array; the address is 0 until somebody uploads it.
TensorDescriptor describe(const Array &array);

/// Checks \p arguments, which are all of the entry's arguments or only its
/// inputs, against the entry's types, shapes and strides, and binds the sizes.
/// The stride of a dimension of extent 1 has no meaning and is bound as if the
/// dimension were contiguous.
Bindings bindArguments(const Entry &entry,
                       const std::vector<TensorDescriptor> &arguments);

/// Checks the entry's conditions on sizes and strides.
void checkRequirements(const Entry &entry, const Bindings &bindings);

/// Checks the addresses and lengths of all arguments: not null, aligned, every
/// element inside the allocation, and no output overlapping another argument or
/// itself.
void checkAddresses(const Entry &entry,
                    const std::vector<TensorDescriptor> &arguments);

/// The shapes of the entry's outputs. Throws Error if one depends on a size
/// that no input binds, or has an extent below 1.
std::vector<std::vector<int64_t>> outputShapes(const Entry &entry,
                                               const Bindings &bindings);

/// Checks the values of \p arrays against the entry's `contents`. Arrays stand
/// in the order of the entry's arguments; those that are missing at the end or
/// null are not checked. The first violation is named with batch, head, row and
/// value. The arrays have passed bindArguments.
void checkContents(const Entry &entry, const Bindings &bindings,
                   const std::vector<const Array *> &arrays);

/// Reads the array at \p place (see ArrayFile.h) for \p argument: f32 is
/// rounded to an argument of type bf16 or f16, any other type must be equal.
Array loadArgument(const std::string &place, const Argument &argument);

/// Reads one file for each of the entry's inputs, in order.
std::vector<Array> loadArguments(const Entry &entry,
                                 const std::vector<std::string> &places);

/// The same of \p arrays that readArray gave for \p places already; only the
/// number of places is checked where there are none.
std::vector<Array> fitArguments(const Entry &entry,
                                const std::vector<std::string> &places,
                                std::vector<Array> arrays);

} // namespace pbs::runtime

#endif // PBS_RUNTIME_ARGUMENTS_H
