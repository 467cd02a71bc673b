// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// A device in host memory that records what it is asked to do.

#ifndef PBS_TEST_UNIT_RUNTIME_FAKEDEVICE_H
#define PBS_TEST_UNIT_RUNTIME_FAKEDEVICE_H

#include "pbs/Runtime/Device.h"
#include "pbs/Runtime/Error.h"

#include "gtest/gtest.h"

#include <cstring>
#include <functional>
#include <map>
#include <sstream>

namespace pbs::runtime::test {

class FakeDevice : public Device {
public:
  struct RecordedLaunch {
    std::string kernel;
    LaunchConfiguration configuration;
    std::vector<uint8_t> parameters;

    template <typename T> T parameter(size_t offset) const {
      T value;
      EXPECT_LE(offset + sizeof(T), parameters.size());
      std::memcpy(&value, parameters.data() + offset, sizeof(T));
      return value;
    }
  };

  /// What happened, one word or two each: "allocate 64", "launch k".
  std::vector<std::string> log;
  std::vector<RecordedLaunch> launches;
  std::vector<TensorMapDescription> tensorMaps;
  bool takesCubins = true;
  std::string chipName = "sm_80";
  /// Stands for the kernels.
  std::function<void(FakeDevice &, const RecordedLaunch &)> execute;
  std::map<DeviceAddress, std::vector<uint8_t>> allocations;

  uint8_t *host(DeviceAddress address, size_t bytes) {
    auto found = allocations.upper_bound(address);
    if (found == allocations.begin() ||
        address - std::prev(found)->first + bytes >
            std::prev(found)->second.size())
      throw Error("access outside of every allocation");
    --found;
    return found->second.data() + (address - found->first);
  }

  std::string description() const override { return "a fake"; }
  std::string chip() const override { return chipName; }
  uint32_t multiprocessorCount() const override { return 7; }
  Stream createStream() override { return nullptr; }
  void destroyStream(Stream) override {}
  DeviceAddress allocate(size_t bytes) override {
    log.push_back("allocate " + std::to_string(bytes));
    if (bytes > size_t(1) << 24)
      throw Error("not enough device memory");
    DeviceAddress address = next;
    next += (bytes / 256 + 2) * 256;
    allocations[address].resize(bytes, 0x5a);
    return address;
  }
  void deallocate(DeviceAddress address) override {
    EXPECT_EQ(allocations.erase(address), 1u);
  }
  void copyToDevice(DeviceAddress destination, const void *source,
                    size_t bytes) override {
    std::memcpy(host(destination, bytes), source, bytes);
  }
  void copyToHost(void *destination, DeviceAddress source,
                  size_t bytes) override {
    std::memcpy(destination, host(source, bytes), bytes);
  }
  void fill(DeviceAddress destination, uint8_t value, size_t bytes) override {
    log.push_back("fill " + std::to_string(value));
    std::memset(host(destination, bytes), value, bytes);
  }
  std::unique_ptr<Module> loadModule(std::string_view ptx,
                                     std::string_view name) override {
    struct FakeModule : Module {
      std::vector<std::string> names;
      std::vector<std::string> kernelNames() const override { return names; }
    };
    // The text is the kernels' names.
    auto module = std::make_unique<FakeModule>();
    std::istringstream stream{std::string(ptx)};
    for (std::string kernel; stream >> kernel;)
      module->names.push_back(kernel);
    return module;
  }
  std::unique_ptr<Module> loadCubin(std::string_view cubin,
                                    std::string_view ptx,
                                    std::string_view name) override {
    log.push_back("cubin " + std::string(cubin));
    return takesCubins ? loadModule(ptx, name) : nullptr;
  }
  TensorMap encodeTensorMap(const TensorMapDescription &map) override {
    TensorMap encoded;
    encoded.bytes.fill(static_cast<uint8_t>(tensorMaps.size() + 1));
    tensorMaps.push_back(map);
    return encoded;
  }
  void launch(const Module &module, std::string_view kernel,
              const LaunchConfiguration &configuration,
              const std::vector<uint8_t> &parameters) override {
    log.push_back("launch " + std::string(kernel));
    launches.push_back({std::string(kernel), configuration, parameters});
    if (execute)
      execute(*this, launches.back());
  }
  std::unique_ptr<Event> recordEvent() override {
    log.push_back("record");
    return std::make_unique<Event>();
  }
  double elapsedMilliseconds(const Event &, const Event &) override {
    return 0;
  }
  void synchronize(const Event &) override {
    log.push_back("wait for event on the host");
  }
  void waitFor(const Event &) override { log.push_back("wait for event"); }
  void beginCapture() override { log.push_back("begin capture"); }
  std::unique_ptr<Graph> endCapture() override {
    log.push_back("end capture");
    return std::make_unique<Graph>();
  }
  void replay(const Graph &) override { log.push_back("replay"); }
  void synchronize() override { log.push_back("synchronize"); }
  void synchronizeAll() override { log.push_back("synchronize all"); }

private:
  DeviceAddress next = 0x10000;
};

} // namespace pbs::runtime::test

#endif // PBS_TEST_UNIT_RUNTIME_FAKEDEVICE_H
