// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "SignalCleanup.h"

#include "pbs/Runtime/OutputFile.h"

#include <array>
#include <atomic>
#include <cerrno>
#include <csignal>
#include <cstdlib>
#include <cstring>
#include <new>
#include <unistd.h>

using namespace pbs::runtime;

struct SignalCleanup::Node {
  /// Null where the node is free. Whoever takes it out owns it.
  std::atomic<char *> path = nullptr;
  Node *next = nullptr;
};

static std::atomic<SignalCleanup::Node *> nodes = nullptr;

SignalCleanup::SignalCleanup(const std::string &path) {
  char *copy = strdup(path.c_str());
  if (!copy)
    throw std::bad_alloc();
  for (node = nodes; node; node = node->next) {
    char *expected = nullptr;
    if (node->path.compare_exchange_strong(expected, copy))
      return;
  }
  node = new Node;
  node->path = copy;
  node->next = nodes;
  while (!nodes.compare_exchange_weak(node->next, node)) {
  }
}

SignalCleanup::~SignalCleanup() { std::free(node->path.exchange(nullptr)); }

static constexpr std::array<int, 4> signals = {SIGINT, SIGTERM, SIGHUP,
                                               SIGPIPE};
static std::array<struct sigaction, signals.size()> previous;

static void removeAndGoOn(int signal) {
  int error = errno;
  for (SignalCleanup::Node *node = nodes; node; node = node->next)
    if (const char *path = node->path.exchange(nullptr))
      unlink(path);
  for (size_t index = 0; index < signals.size(); ++index)
    if (signals[index] == signal)
      sigaction(signal, &previous[index], nullptr);
  errno = error;
  // Delivered on return.
  raise(signal);
}

void pbs::runtime::removeOutputsOnSignals() {
  for (size_t index = 0; index < signals.size(); ++index) {
    sigaction(signals[index], nullptr, &previous[index]);
    if (previous[index].sa_handler == SIG_IGN)
      continue;
    struct sigaction action = {};
    action.sa_handler = removeAndGoOn;
    sigemptyset(&action.sa_mask);
    sigaction(signals[index], &action, nullptr);
  }
}
