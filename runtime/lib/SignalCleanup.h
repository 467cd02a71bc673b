// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#ifndef PBS_RUNTIME_LIB_SIGNALCLEANUP_H
#define PBS_RUNTIME_LIB_SIGNALCLEANUP_H

#include <string>

namespace pbs::runtime {

/// Names a file that a signal removes while this lives; see
/// removeOutputsOnSignals.
class SignalCleanup {
public:
  explicit SignalCleanup(const std::string &path);
  SignalCleanup(const SignalCleanup &) = delete;
  SignalCleanup &operator=(const SignalCleanup &) = delete;
  ~SignalCleanup();

  /// Never freed, since a handler may be reading it.
  struct Node;

private:
  Node *node;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_LIB_SIGNALCLEANUP_H
