// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "ControlFlow.h"

#include "Program.h"

#include <algorithm>

namespace pbs::runtime::emulator {

namespace {

constexpr uint32_t undefined = UINT32_MAX;

/// Basic blocks; the last one stands for the function's end.
struct BlockGraph {
  std::vector<uint32_t> firstInstruction;
  std::vector<uint32_t> blockOf;
  std::vector<std::vector<uint32_t>> successors;
  std::vector<std::vector<uint32_t>> predecessors;

  uint32_t end() const { return uint32_t(firstInstruction.size()); }
};

/// Lanes that return meet nobody: edges to a return, or out of a guarded one,
/// do not count where control can also go on, so that those which go on meet as
/// if there were none. The last ones stay where nothing else leads to the end.
void dropReturns(const std::vector<FlowEdge> &flow, BlockGraph &graph) {
  auto isReturn = [&](uint32_t block) {
    if (block == graph.end())
      return true;
    const FlowEdge &first = flow[graph.firstInstruction[block]];
    return first.ends && !first.fallsThrough;
  };
  /// Whether a block's edges to returns are dropped.
  std::vector<bool> drops(graph.end() + 1, false);
  for (uint32_t block = 0; block < graph.end(); ++block) {
    const std::vector<uint32_t> &successors = graph.successors[block];
    drops[block] = !std::all_of(successors.begin(), successors.end(), isReturn);
  }

  std::vector<bool> reachesEnd(graph.end() + 1, false);
  auto mark = [&](uint32_t start) {
    std::vector<uint32_t> stack = {start};
    reachesEnd[start] = true;
    while (!stack.empty()) {
      uint32_t block = stack.back();
      stack.pop_back();
      for (uint32_t predecessor : graph.predecessors[block])
        if (!reachesEnd[predecessor] &&
            !(drops[predecessor] && isReturn(block))) {
          reachesEnd[predecessor] = true;
          stack.push_back(predecessor);
        }
    }
  };
  mark(graph.end());
  for (uint32_t block = graph.end(); block-- > 0;) {
    const std::vector<uint32_t> &successors = graph.successors[block];
    if (!reachesEnd[block] &&
        std::any_of(successors.begin(), successors.end(), isReturn)) {
      drops[block] = false;
      mark(block);
    }
  }

  for (std::vector<uint32_t> &predecessors : graph.predecessors)
    predecessors.clear();
  for (uint32_t block = 0; block < graph.end(); ++block) {
    std::vector<uint32_t> &successors = graph.successors[block];
    if (drops[block])
      successors.erase(
          std::remove_if(successors.begin(), successors.end(), isReturn),
          successors.end());
    for (uint32_t successor : successors)
      graph.predecessors[successor].push_back(block);
  }
}

BlockGraph buildBlocks(const std::vector<FlowEdge> &flow) {
  std::vector<bool> begins(flow.size() + 1, false);
  begins[0] = true;
  for (size_t index = 0; index < flow.size(); ++index) {
    for (uint32_t target : flow[index].targets)
      begins[target] = true;
    if (!flow[index].isPlain())
      begins[index + 1] = true;
  }
  BlockGraph graph;
  graph.blockOf.resize(flow.size());
  for (size_t index = 0; index < flow.size(); ++index) {
    if (begins[index])
      graph.firstInstruction.push_back(uint32_t(index));
    graph.blockOf[index] = uint32_t(graph.firstInstruction.size() - 1);
  }
  graph.successors.resize(graph.end() + 1);
  graph.predecessors.resize(graph.end() + 1);
  auto connect = [&](uint32_t from, uint32_t to) {
    graph.successors[from].push_back(to);
    graph.predecessors[to].push_back(from);
  };
  for (uint32_t block = 0; block < graph.end(); ++block) {
    size_t last = (block + 1 < graph.end() ? graph.firstInstruction[block + 1]
                                           : flow.size()) -
                  1;
    const FlowEdge &edge = flow[last];
    for (uint32_t target : edge.targets)
      connect(block, graph.blockOf[target]);
    if (edge.fallsThrough && last + 1 < flow.size())
      connect(block, graph.blockOf[last + 1]);
    else if (edge.fallsThrough || edge.ends)
      connect(block, graph.end());
    if (edge.ends && edge.fallsThrough && last + 1 < flow.size())
      connect(block, graph.end());
  }
  dropReturns(flow, graph);
  return graph;
}

/// Blocks in postorder of the reversed graph, the end last; blocks from which
/// the end cannot be reached are not in it.
std::vector<uint32_t> reversePostorder(const BlockGraph &graph) {
  std::vector<uint32_t> order;
  std::vector<bool> seen(graph.end() + 1, false);
  // (block, next predecessor to visit)
  std::vector<std::pair<uint32_t, size_t>> stack = {{graph.end(), 0}};
  seen[graph.end()] = true;
  while (!stack.empty()) {
    auto &[block, next] = stack.back();
    if (next == graph.predecessors[block].size()) {
      order.push_back(block);
      stack.pop_back();
      continue;
    }
    uint32_t predecessor = graph.predecessors[block][next++];
    if (!seen[predecessor]) {
      seen[predecessor] = true;
      stack.emplace_back(predecessor, 0);
    }
  }
  return order;
}

} // namespace

std::vector<uint32_t> findMeetingPoints(const std::vector<FlowEdge> &flow) {
  std::vector<uint32_t> meeting(flow.size(), noInstruction);
  if (flow.empty())
    return meeting;
  BlockGraph graph = buildBlocks(flow);
  std::vector<uint32_t> order = reversePostorder(graph);
  std::vector<uint32_t> number(graph.end() + 1, undefined);
  for (uint32_t index = 0; index < order.size(); ++index)
    number[order[index]] = index;

  std::vector<uint32_t> postDominator(graph.end() + 1, undefined);
  postDominator[graph.end()] = graph.end();
  auto intersect = [&](uint32_t a, uint32_t b) {
    while (a != b) {
      while (number[a] < number[b])
        a = postDominator[a];
      while (number[b] < number[a])
        b = postDominator[b];
    }
    return a;
  };
  for (bool changed = true; changed;) {
    changed = false;
    for (size_t index = order.size() - 1; index-- > 0;) {
      uint32_t block = order[index];
      uint32_t chosen = undefined;
      for (uint32_t successor : graph.successors[block]) {
        if (postDominator[successor] == undefined)
          continue;
        chosen = chosen == undefined ? successor : intersect(successor, chosen);
      }
      if (postDominator[block] != chosen) {
        postDominator[block] = chosen;
        changed = true;
      }
    }
  }
  for (size_t index = 0; index < flow.size(); ++index) {
    if (flow[index].targets.empty())
      continue;
    uint32_t block = postDominator[graph.blockOf[index]];
    if (block != undefined && block != graph.end())
      meeting[index] = graph.firstInstruction[block];
  }
  return meeting;
}

} // namespace pbs::runtime::emulator
