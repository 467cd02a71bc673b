// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "common/Progress.h"

#include <algorithm>
#include <iostream>
#include <unistd.h>

using namespace pbs::tools;

ProgressBar::ProgressBar() : isTerminal(isatty(STDERR_FILENO)) {}

void ProgressBar::begin(const std::string &what) {
  name = what;
  drawn = -1;
}

void ProgressBar::update(uint64_t done, uint64_t total) {
  if (!isTerminal)
    return;
  constexpr int width = 40;
  constexpr size_t nameWidth = 20;
  int percent = static_cast<int>(done * 100 / total);
  if (percent == drawn)
    return;
  drawn = percent;
  int filled = percent * width / 100;
  std::string label = name;
  label.resize(std::max(label.size(), nameWidth), ' ');
  std::cerr << '\r' << label << " [" << std::string(filled, '#')
            << std::string(width - filled, '.') << "] " << percent << " %"
            << (done == total ? "\n" : "") << std::flush;
}
