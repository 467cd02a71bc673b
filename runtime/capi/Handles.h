// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The handles of pbs_runtime.h. A handle is no address but a number that is
// never given twice, so that one that has been freed is found out whatever has
// been made since.

#ifndef PBS_RUNTIME_CAPI_HANDLES_H
#define PBS_RUNTIME_CAPI_HANDLES_H

#include "pbs/Runtime/Error.h"

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>

namespace pbs::runtime::capi {

/// Specialised for each type of handle: `Object`, which stands behind it, and
/// `name`, the word for it in messages.
template <typename Handle> struct HandleKind;

inline uint64_t nextHandle() {
  static std::atomic<uint64_t> last = 0;
  // Neither null nor near it, as a pointer that is wrong often is.
  return (++last << 4) + (uint64_t(1) << 32);
}

/// All handles of a type that are in use.
template <typename Handle> class Handles {
public:
  using Kind = HandleKind<Handle>;
  using Object = std::shared_ptr<typename Kind::Object>;

  /// It is never destroyed: a process may free handles while it ends.
  static Handles &all() {
    static auto *handles = new Handles;
    return *handles;
  }

  Handle *add(Object object) {
    uint64_t number = nextHandle();
    std::lock_guard lock(mutex);
    objects.emplace(number, std::move(object));
    return reinterpret_cast<Handle *>( // NOLINT(performance-no-int-to-ptr)
        number);
  }

  /// Null where \p handle is none.
  Object find(const Handle *handle) {
    std::lock_guard lock(mutex);
    auto found = objects.find(reinterpret_cast<uintptr_t>(handle));
    return found == objects.end() ? nullptr : found->second;
  }

  /// The same, and \p handle is none from then on.
  Object remove(const Handle *handle) {
    std::lock_guard lock(mutex);
    auto found = objects.find(reinterpret_cast<uintptr_t>(handle));
    if (found == objects.end())
      return nullptr;
    Object object = std::move(found->second);
    objects.erase(found);
    return object;
  }

private:
  std::mutex mutex;
  std::unordered_map<uint64_t, Object> objects;
};

/// What stands behind \p handle, which the caller knows as \p name. Throws
/// Error if nothing does.
template <typename Handle>
typename Handles<Handle>::Object lookUp(const Handle *handle,
                                        const char *name) {
  if (!handle)
    throw Error(std::string(name) + " is NULL");
  if (auto object = Handles<Handle>::all().find(handle))
    return object;
  throw Error(std::string(name) + " is no " + HandleKind<Handle>::name +
              ", or has been freed");
}

} // namespace pbs::runtime::capi

#endif // PBS_RUNTIME_CAPI_HANDLES_H
