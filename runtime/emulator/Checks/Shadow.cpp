// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Shadow.h"

#include "pbs/Runtime/HostMemory.h"

namespace pbs::runtime::emulator {

void RecordPool::push(Word &word, const Record &record) {
  RecordIndex index = free;
  if (index != 0) {
    free = nodes[index].next;
  } else {
    index = RecordIndex(nodes.size());
    nodes.emplace_back();
  }
  nodes[index] = {record, word.more};
  word.more = index;
  word.hasMoreWrites |= record.has(Record::IsWrite);
}

WordPage &GlobalShadow::find(uintptr_t page) {
  Shard &shard = shards[page % shardCount];
  std::lock_guard<std::mutex> lock(shard.mutex);
  std::unique_ptr<WordPage> &found = shard.pages[page];
  if (!found) {
    // Much more than the memory that it is about, but only where accesses are.
    constexpr uint64_t checkedPages = 1024;
    if (pageCount++ % checkedPages == 0)
      checkHostMemory("emulator: what the checks note of more global memory",
                      checkedPages * sizeof(WordPage));
    found = std::make_unique<WordPage>();
  }
  return *found;
}

} // namespace pbs::runtime::emulator
