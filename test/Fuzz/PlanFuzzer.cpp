// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// The plan reader, and the evaluation of whatever expressions a plan holds.

#include "Fuzz.h"

#include "pbs/Runtime/Plan.h"

using namespace pbs::runtime;

/// Sizes and strides that lead expressions to their ends: overflow, division by
/// zero, negative numbers.
static Bindings bindingsOf(const Entry &entry) {
  static constexpr int64_t values[] = {0, 1, -1, 128, INT64_MAX, INT64_MIN};
  Bindings bindings;
  size_t next = entry.sizes.size();
  for (const std::string &size : entry.sizes)
    bindings.sizes[size] = values[next++ % std::size(values)];
  bindings.sizes["multiprocessors"] = 132;
  for (const Argument &argument : entry.arguments)
    for (size_t i = 0; i < argument.shape.size(); ++i)
      bindings.strides[argument.name].push_back(
          values[next++ % std::size(values)]);
  return bindings;
}

static void evaluate(const Expression &expression, const Bindings &bindings) {
  pbs::fuzz::attempt([&] { expression.evaluate(bindings); });
  if (expression.toString().empty())
    pbs::fuzz::fail("an expression without a text");
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size) {
  std::string_view text(reinterpret_cast<const char *>(data), size);
  Plan plan;
  if (!pbs::fuzz::attempt([&] { plan = parsePlan(text, "fuzz.json"); }))
    return 0;
  pbs::fuzz::attempt([&] { plan.findEntry(""); });
  if (plan.ptxPath().empty())
    pbs::fuzz::fail("a plan without PTX");
  for (const Entry &entry : plan.entries) {
    Bindings bindings = bindingsOf(entry);
    if (&plan.findEntry(entry.name) != &entry)
      pbs::fuzz::fail("an entry that its name does not find");
    for (const Argument &argument : entry.arguments)
      for (const Expression &extent : argument.shape)
        evaluate(extent, bindings);
    for (const Requirement &requirement : entry.requirements)
      evaluate(requirement.condition, bindings);
    for (const Buffer &buffer : entry.buffers)
      evaluate(buffer.bytes, bindings);
    for (const Step &step : entry.steps) {
      if (step.guard)
        evaluate(*step.guard, bindings);
      if (const auto *memset = std::get_if<Memset>(&step.action))
        evaluate(memset->bytes, bindings);
      else
        for (const Expression &extent : std::get<Launch>(step.action).grid)
          evaluate(extent, bindings);
    }
  }
  return 0;
}
