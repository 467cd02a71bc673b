// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "emulated-driver/Driver.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <string_view>

using namespace pbs::runtime;
using namespace pbs::runtime::emulated;

namespace {

/// The newest PTX ISA that a driver for CUDA 13.0 takes.
constexpr long newestPtxMajor = 9, newestPtxMinor = 0;
/// The compute capability that the device has.
constexpr long deviceTarget = 90;

/// The first word after \p directive, or nothing.
std::string_view wordAfter(std::string_view ptx, std::string_view directive) {
  size_t at = ptx.find(directive);
  if (at == std::string_view::npos)
    return {};
  at = ptx.find_first_not_of(" \t", at + directive.size());
  if (at == std::string_view::npos)
    return {};
  return ptx.substr(at, ptx.find_first_of(" \t\r\n,;", at) - at);
}

/// Whether \p image begins as PTX does: with the version, after comments.
bool isPtx(const char *image) {
  for (;;) {
    image += std::strspn(image, " \t\r\n");
    const char *end = nullptr;
    if (std::strncmp(image, "//", 2) == 0)
      end = std::strchr(image, '\n');
    else if (std::strncmp(image, "/*", 2) == 0)
      end = std::strstr(image + 2, "*/");
    if (!end)
      return std::strncmp(image, ".version", 8) == 0;
    image = end + (*end == '*' ? 2 : 1);
  }
}

/// Whether PTX for \p target, "sm_90a" for instance, runs on the device.
bool runsHere(std::string_view target) {
  if (target.substr(0, 3) != "sm_")
    return true; // The parser says what is wrong.
  std::string text(target.substr(3));
  char *suffix = nullptr;
  long number = std::strtol(text.c_str(), &suffix, 10);
  return *suffix == '\0' ? number <= deviceTarget : number == deviceTarget;
}

Result checkImage(std::string_view ptx) {
  std::string version(wordAfter(ptx, ".version"));
  char *rest = nullptr;
  long major = std::strtol(version.c_str(), &rest, 10);
  long minor = *rest == '.' ? std::strtol(rest + 1, nullptr, 10) : 0;
  if (std::pair(major, minor) > std::pair(newestPtxMajor, newestPtxMinor))
    return CUDA_ERROR_UNSUPPORTED_PTX_VERSION;
  return runsHere(wordAfter(ptx, ".target")) ? CUDA_SUCCESS
                                             : CUDA_ERROR_NO_BINARY_FOR_GPU;
}

/// The emulator's "NAME:LINE: MESSAGE" as ptxas writes it, which is what
/// programs expect in the log.
std::string formatLog(const std::string &name, std::string message) {
  if (message.compare(0, name.size() + 1, name + ":") != 0)
    return message;
  size_t begin = name.size() + 1;
  size_t end = message.find(':', begin);
  if (end == std::string::npos)
    return message;
  return "ptxas application ptx input, line " +
         message.substr(begin, end - begin) +
         "; error   :" + message.substr(end + 1);
}

/// The buffer for errors among the options of a load.
class ErrorLog {
public:
  ErrorLog(unsigned count, const int *options, void **values) {
    for (unsigned i = 0; i < count; ++i) {
      if (options[i] == cuda::jitErrorLogBuffer)
        buffer = static_cast<char *>(values[i]);
      else if (options[i] == cuda::jitErrorLogBufferBytes)
        bytes = &values[i];
    }
    if (bytes)
      available = reinterpret_cast<uintptr_t>(*bytes);
    write("");
  }

  /// Writes \p message, and how many of the buffer's bytes it takes.
  void write(const std::string &message) {
    if (!buffer || !bytes)
      return;
    size_t length = 0;
    if (available > 0) {
      length = std::min<size_t>(message.size(), available - 1);
      std::memcpy(buffer, message.data(), length);
      buffer[length] = '\0';
    }
    // NOLINTNEXTLINE(performance-no-int-to-ptr): the API's way of numbers.
    *bytes = reinterpret_cast<void *>(length);
  }

private:
  char *buffer = nullptr;
  /// The buffer's length, which write() replaces.
  void **bytes = nullptr;
  size_t available = 0;
};

/// CUfunction_attribute.
enum FunctionAttribute {
  MaxThreadsPerBlock,
  SharedBytes,
  ConstBytes,
  LocalBytes,
  Registers,
  PtxVersion,
  BinaryVersion,
  CacheModeCA,
  MaxDynamicSharedBytes,
  PreferredSharedCarveout
};
static_assert(MaxDynamicSharedBytes == cuda::functionMaxDynamicSharedBytes);

/// Places the parameters of \p function as ptxas does for sm_90.
void placeParameters(FunctionObject &function) {
  constexpr uint64_t bankOffset = 0x210;
  uint64_t end = bankOffset;
  for (const auto &parameter : function.description.parameters) {
    uint64_t alignment = parameter.alignment;
    uint64_t begin = (end + alignment - 1) / alignment * alignment;
    function.parameterOffsets.push_back(begin - bankOffset);
    end = begin + parameter.bytes;
  }
  function.parameterBytes = end - bankOffset;
}

} // namespace

Result emulated::cuModuleLoadData(ModuleHandle *module, const void *image) {
  return cuModuleLoadDataEx(module, image, 0, nullptr, nullptr);
}

Result emulated::cuModuleLoadDataEx(ModuleHandle *handle, const void *image,
                                    unsigned count, int *options,
                                    void **values) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    if (Result result = forbidWhileCapturing(driver); result != CUDA_SUCCESS)
      return result;
    if (!handle || !image || (count != 0 && (!options || !values)))
      return CUDA_ERROR_INVALID_VALUE;
    ErrorLog log(count, options, values);
    const char *text = static_cast<const char *>(image);
    if (!isPtx(text))
      return CUDA_ERROR_NO_BINARY_FOR_GPU;
    if (Result result = checkImage(text); result != CUDA_SUCCESS)
      return result;
    std::string name = "module " + std::to_string(++driver.loadedModules);
    auto module = std::make_unique<ModuleObject>();
    try {
      module->module = driver.device->loadModule(text, name);
    } catch (const Error &error) {
      log.write(formatLog(name, error.what()));
      return error.kind() == ErrorKind::OutOfMemory ? CUDA_ERROR_OUT_OF_MEMORY
                                                    : CUDA_ERROR_INVALID_PTX;
    }
    *handle = keep(context.modules, std::move(module));
    return CUDA_SUCCESS;
  });
}

Result emulated::cuModuleUnload(ModuleHandle module) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    if (Result result = forbidWhileCapturing(driver); result != CUDA_SUCCESS)
      return result;
    return context.modules.erase(module) ? CUDA_SUCCESS
                                         : CUDA_ERROR_INVALID_HANDLE;
  });
}

Result emulated::cuModuleGetFunction(Function *function, ModuleHandle handle,
                                     const char *name) {
  return callInContext([&](Driver &driver, ContextObject &context) -> Result {
    ModuleObject *module = find(context.modules, handle);
    if (!module)
      return CUDA_ERROR_INVALID_HANDLE;
    if (!function || !name)
      return CUDA_ERROR_INVALID_VALUE;
    std::vector<std::string> kernels = module->module->kernelNames();
    if (std::find(kernels.begin(), kernels.end(), name) == kernels.end())
      return CUDA_ERROR_NOT_FOUND;
    std::unique_ptr<FunctionObject> &known = module->functions[name];
    if (!known) {
      known = std::make_unique<FunctionObject>();
      known->module = module;
      known->name = name;
      known->description = driver.device->describeKernel(*module->module, name);
      placeParameters(*known);
      known->maximumDynamicSharedBytes =
          defaultSharedBytes -
          std::min(known->description.staticSharedBytes, defaultSharedBytes);
    }
    *function = known.get();
    return CUDA_SUCCESS;
  });
}

Result emulated::cuFuncGetAttribute(int *value, int attribute,
                                    Function handle) {
  return callInContext([&](Driver &, ContextObject &context) -> Result {
    FunctionObject *function = findFunction(context, handle);
    if (!function)
      return CUDA_ERROR_INVALID_HANDLE;
    if (!value)
      return CUDA_ERROR_INVALID_VALUE;
    const KernelDescription &description = function->description;
    switch (attribute) {
    case MaxThreadsPerBlock:
      *value = static_cast<int>(description.maximumThreads);
      return CUDA_SUCCESS;
    case SharedBytes:
      *value = static_cast<int>(description.staticSharedBytes);
      return CUDA_SUCCESS;
    case LocalBytes:
      *value = static_cast<int>(description.localBytes);
      return CUDA_SUCCESS;
    case PtxVersion:
    case BinaryVersion:
      *value = deviceTarget;
      return CUDA_SUCCESS;
    case ConstBytes:
    case Registers:
    case CacheModeCA:
      *value = 0;
      return CUDA_SUCCESS;
    case MaxDynamicSharedBytes:
      *value = static_cast<int>(function->maximumDynamicSharedBytes);
      return CUDA_SUCCESS;
    case PreferredSharedCarveout:
      *value = -1; // The driver's choice.
      return CUDA_SUCCESS;
    default:
      return CUDA_ERROR_INVALID_VALUE;
    }
  });
}

Result emulated::cuFuncGetParamInfo(Function handle, size_t index,
                                    size_t *offset, size_t *bytes) {
  return callInContext([&](Driver &, ContextObject &context) -> Result {
    FunctionObject *function = findFunction(context, handle);
    if (!function)
      return CUDA_ERROR_INVALID_HANDLE;
    const auto &parameters = function->description.parameters;
    if (!offset || index >= parameters.size())
      return CUDA_ERROR_INVALID_VALUE;
    *offset = function->parameterOffsets[index];
    if (bytes)
      *bytes = parameters[index].bytes;
    return CUDA_SUCCESS;
  });
}

Result emulated::cuFuncSetAttribute(Function handle, int attribute, int value) {
  return callInContext([&](Driver &, ContextObject &context) -> Result {
    FunctionObject *function = findFunction(context, handle);
    if (!function)
      return CUDA_ERROR_INVALID_HANDLE;
    if (attribute == PreferredSharedCarveout)
      return value >= -1 && value <= 100 ? CUDA_SUCCESS
                                         : CUDA_ERROR_INVALID_VALUE;
    if (attribute != MaxDynamicSharedBytes || value < 0 ||
        static_cast<uint64_t>(value) + function->description.staticSharedBytes >
            maximumSharedBytes)
      return CUDA_ERROR_INVALID_VALUE;
    function->maximumDynamicSharedBytes = static_cast<uint64_t>(value);
    return CUDA_SUCCESS;
  });
}
