// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Takes the synchronisation out of a module of PTX, one instruction at a time,
// to see whether the emulator's checks notice.

#ifndef PBS_TEST_MUTATION_H
#define PBS_TEST_MUTATION_H

#include <functional>
#include <map>
#include <set>
#include <string>
#include <string_view>
#include <vector>

namespace pbs::mutation {

/// A module with one instruction less.
struct Mutant {
  std::string kernel;
  /// What is missing: the kernel, the instruction, and between which accesses
  /// or other synchronisation it stood, so that code elsewhere does not matter:
  /// "attention: bar.sync 0, after st.shared.b32, before
  /// ldmatrix.sync.aligned".
  std::string key;
  /// Where it stood.
  unsigned line = 0;
  /// The module; all other instructions are in their lines.
  std::string text;
};

/// The mutants of \p ptx, in the order of its lines:
///   - without a fence, barrier or arrival at one, commit, or wait for a group,
///     or griddepcontrol;
///   - with the wait at an mbarrier true at once;
///   - without an expect_tx, also where the arrival that it is part of stays;
///   - without both halves of a barrier.cluster.
/// Throws std::runtime_error where it cannot read the module.
std::vector<Mutant> makeMutants(std::string_view ptx);

/// What a run of a module says: the message of its error, wrongResults, or
/// nothing.
using Run = std::function<std::string(const std::string &ptx)>;
inline constexpr const char *wrongResults = "wrong";

/// Why mutants are right all the same, by their keys.
using Arguments = std::map<std::string, std::string>;

/// Reads a file of keys, each in a line of its own, and below each its argument
/// in lines that are indented. Lines with # are comments. Throws
/// std::runtime_error for a key without an argument, or twice.
Arguments readArguments(const std::string &path);

/// What became of all mutants.
struct Report {
  /// A hazard was reported, or a fault that is none of the kinds.
  unsigned caught = 0;
  /// The run came to no end within the emulator's steps.
  unsigned hangs = 0;
  /// Nothing happened, for a reason that has been written down.
  unsigned argued = 0;
  /// A line for each mutant.
  std::string text;
  /// What must not be: mutants that nobody noticed or that only the results
  /// show, and arguments that are wrong or about no mutant.
  std::vector<std::string> faults;
};

/// Runs \p ptx, which has to be right, and each mutant of \p kernels, or of all
/// where that is empty, in a process of its own. \p run limits the steps.
Report judgeMutants(const std::string &ptx, const Run &run,
                    const Arguments &arguments,
                    const std::set<std::string> &kernels = {});

} // namespace pbs::mutation

#endif // PBS_TEST_MUTATION_H
