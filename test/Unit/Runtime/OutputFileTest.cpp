// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Runtime/OutputFile.h"

#include "TestSupport.h"

#include <csignal>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <sys/stat.h>
#include <sys/wait.h>
#include <thread>
#include <unistd.h>

using namespace pbs::runtime;
using namespace pbs::runtime::test;
using testing::EndsWith;
namespace fs = std::filesystem;

namespace {

class OutputFile : public testing::Test {
protected:
  void write(const std::string &path, const std::string &text) {
    OutputFiles files;
    files.add(path, text);
    files.commit();
  }

  std::string read(const std::string &path) {
    std::ifstream stream(path);
    return {std::istreambuf_iterator<char>(stream), {}};
  }

  size_t countFiles() {
    return std::distance(fs::directory_iterator(folder.path()), {});
  }

  TemporaryFolder folder;
};

TEST_F(OutputFile, ReplacesFilesTogether) {
  write(folder / "a", "old");
  {
    OutputFiles files;
    files.add(folder / "a", "new");
    files.add(folder / "b") << "long" << std::string(200000, 'x');
    EXPECT_EQ(read(folder / "a"), "old");
    EXPECT_FALSE(fs::exists(folder / "b"));
    files.commit();
  }
  EXPECT_EQ(read(folder / "a"), "new");
  EXPECT_EQ(read(folder / "b"), "long" + std::string(200000, 'x'));
  EXPECT_EQ(countFiles(), 2u);
}

TEST_F(OutputFile, LeavesNothingUncommitted) {
  {
    OutputFiles files;
    files.add(folder / "a", "text");
    EXPECT_EQ(countFiles(), 1u);
  }
  EXPECT_EQ(countFiles(), 0u);
}

TEST_F(OutputFile, KeepsLinks) {
  fs::create_directory(folder / "there");
  fs::create_symlink("there/target", folder / "second");
  fs::create_symlink("second", folder / "first");
  // Once as a link to nothing, once to a file.
  for (const char *text : {"new", "newer"}) {
    write(folder / "first", text);
    EXPECT_EQ(fs::read_symlink(folder / "first"), "second");
    EXPECT_EQ(fs::read_symlink(folder / "second"), "there/target");
    EXPECT_FALSE(fs::is_symlink(folder / "there/target"));
    EXPECT_EQ(read(folder / "there/target"), text);
  }
}

TEST_F(OutputFile, WritesThroughDevicesAndPipes) {
  EXPECT_EQ(outputKind("/dev/null"), OutputKind::Stream);
  write("/dev/null", "text");
  fs::create_symlink("/dev/null", folder / "null");
  write(folder / "null", "text");
  EXPECT_TRUE(fs::is_character_file("/dev/null"));
  EXPECT_TRUE(fs::is_symlink(folder / "null"));
  EXPECT_EQ(messageOf([&] { write("/dev/full", "text"); }),
            "/dev/full: cannot write: No space left on device");

  std::string pipe = folder / "pipe";
  ASSERT_EQ(mkfifo(pipe.c_str(), 0600), 0);
  std::string found;
  std::thread reader([&] { found = read(pipe); });
  write(pipe, "through the pipe");
  reader.join();
  EXPECT_EQ(found, "through the pipe");
  EXPECT_TRUE(fs::is_fifo(pipe));
}

// As /dev/stdout does, which is a link to such a path.
TEST_F(OutputFile, GoesOnWhereADescriptorStands) {
  int file = open((folder / "log").c_str(), O_WRONLY | O_CREAT, 0600);
  ASSERT_EQ(::write(file, "before ", 7), 7);
  std::string path = "/proc/self/fd/" + std::to_string(file);
  EXPECT_EQ(outputKind(path), OutputKind::Stream);
  write(path, "within ");
  ASSERT_EQ(::write(file, "after", 5), 5);
  close(file);
  EXPECT_EQ(read(folder / "log"), "before within after");
}

TEST_F(OutputFile, NamesWhatCannotBeWritten) {
  EXPECT_THAT(messageOf([&] { write(folder.path(), ""); }),
              EndsWith(": is a folder"));
  EXPECT_THAT(messageOf([&] { write(folder / "no/file", ""); }),
              EndsWith("no/file: cannot write: No such file or directory"));
  fs::create_symlink("circle", folder / "circle");
  EXPECT_THAT(
      messageOf([&] { write(folder / "circle", ""); }),
      EndsWith("circle: cannot write: Too many levels of symbolic links"));
  EXPECT_EQ(messageOf([&] { write("", ""); }),
            "'': cannot write: No such file or directory");
}

TEST_F(OutputFile, HasThePermissionsThatTheUmaskGives) {
  mode_t old = umask(027);
  write(folder / "a", "text");
  umask(old);
  EXPECT_EQ(fs::status(folder / "a").permissions(), fs::perms(0640));
}

TEST_F(OutputFile, TakesTheLongestName) {
  std::string name(255, 'n');
  write(folder / name, "text");
  EXPECT_EQ(read(folder / name), "text");
}

TEST_F(OutputFile, IsRemovedByASignal) {
  for (int signal : {SIGINT, SIGTERM, SIGHUP, SIGPIPE}) {
    pid_t child = fork();
    if (child == 0) {
      std::signal(signal, SIG_DFL);
      removeOutputsOnSignals();
      OutputFiles files;
      files.add(folder / "first", "text");
      files.add(folder / "second", "text");
      raise(signal);
      _exit(1);
    }
    int status = 0;
    ASSERT_EQ(waitpid(child, &status, 0), child);
    EXPECT_TRUE(WIFSIGNALED(status) && WTERMSIG(status) == signal) << signal;
    EXPECT_EQ(countFiles(), 0u) << signal;
  }
}

TEST_F(OutputFile, OutlivesAnIgnoredSignal) {
  pid_t child = fork();
  if (child == 0) {
    std::signal(SIGHUP, SIG_IGN);
    removeOutputsOnSignals();
    OutputFiles files;
    files.add(folder / "a", "text");
    raise(SIGHUP);
    files.commit();
    _exit(0);
  }
  int status = 0;
  ASSERT_EQ(waitpid(child, &status, 0), child);
  EXPECT_EQ(status, 0);
  EXPECT_EQ(read(folder / "a"), "text");
}

} // namespace
