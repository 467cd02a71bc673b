// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Files that appear whole or not at all.

#ifndef PBS_RUNTIME_OUTPUTFILE_H
#define PBS_RUNTIME_OUTPUTFILE_H

#include <memory>
#include <ostream>
#include <string>
#include <string_view>
#include <vector>

namespace pbs::runtime {

/// What a path names for one that writes to it.
enum class OutputKind : unsigned char {
  /// Nothing yet: a new file.
  New,
  /// A regular file, which is replaced.
  File,
  /// A character device, a pipe, or a descriptor of the process such as
  /// /dev/stdout or "-": what is written goes through it.
  Stream,
};

/// Looks through symbolic links. Throws Error for anything else: a folder, a
/// socket, a block device, links in a circle.
OutputKind outputKind(const std::string &path);

/// Several files that appear together. Each is written beside its place, under
/// a name that cannot be guessed and follows no link, and renamed by commit();
/// what streams take is held back until then. A symbolic link stays one: the
/// file at its end is replaced. All throw Error that names the path.
class OutputFiles {
public:
  OutputFiles();
  OutputFiles(const OutputFiles &) = delete;
  OutputFiles &operator=(const OutputFiles &) = delete;
  /// Removes what was not committed.
  ~OutputFiles();

  /// The stream to write to, until the next add().
  std::ostream &add(const std::string &path);
  void add(const std::string &path, std::string_view contents);
  /// First to streams, then into place.
  void commit();

private:
  class Pending;
  std::vector<std::unique_ptr<Pending>> pending;
};

/// Makes SIGINT, SIGTERM, SIGHUP and SIGPIPE remove the files that are not
/// committed before they do what they would. For a program to call first; a
/// signal that it ignores stays ignored.
void removeOutputsOnSignals();

} // namespace pbs::runtime

#endif // PBS_RUNTIME_OUTPUTFILE_H
