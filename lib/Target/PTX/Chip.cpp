// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "pbs/Target/PTX/Chip.h"

#include "llvm/ADT/STLExtras.h"
#include "llvm/ADT/StringExtras.h"

using namespace mlir;

namespace pbs {
namespace {

struct KnownChip {
  llvm::StringLiteral name;
  unsigned lowestPTX;
  int64_t sharedKilobytes;
};

/// PTX ISA, "Release notes": the version that introduced each target. CUDA
/// programming guide, "Compute capabilities": shared memory of a thread block;
/// where it does not say, the smallest.
constexpr KnownChip knownChips[] = {
    {"sm_80", 70, 163},   {"sm_86", 71, 99},   {"sm_87", 74, 163},
    {"sm_88", 90, 99},    {"sm_89", 78, 99},   {"sm_90", 78, 227},
    {"sm_90a", 80, 227},  {"sm_100", 86, 227}, {"sm_100a", 86, 227},
    {"sm_100f", 88, 227}, {"sm_103", 88, 227}, {"sm_103a", 88, 227},
    {"sm_103f", 88, 227}, {"sm_110", 90, 227}, {"sm_110a", 90, 227},
    {"sm_110f", 90, 227}, {"sm_120", 87, 99},  {"sm_120a", 87, 99},
    {"sm_120f", 88, 99},  {"sm_121", 88, 99},  {"sm_121a", 88, 99},
    {"sm_121f", 88, 99},
};

/// Signals and TMA came with sm_90; the version from which on TMA copies into a
/// CTA's own shared memory (shared::cta).
constexpr unsigned hopperArchitecture = 90;
constexpr unsigned tensorMapPTX = 86;

/// Versions that the code generator knows.
constexpr unsigned knownVersions[] = {70, 71, 72, 73, 74, 75, 76, 77, 78, 80,
                                      81, 82, 83, 84, 85, 86, 87, 88, 90};

std::string format(unsigned version) {
  return llvm::utostr(version / 10) + "." + llvm::utostr(version % 10);
}

} // namespace

std::string Chip::getFeatures() const {
  return "+ptx" + llvm::utostr(ptxVersion);
}

std::string Chip::getPTXVersion() const { return format(ptxVersion); }

/// 90 for sm_90 and sm_90a.
static unsigned getArchitecture(StringRef name) {
  unsigned architecture = 0;
  name.consume_front("sm_");
  name.consumeInteger(10, architecture);
  return architecture;
}

bool Chip::hasSignals() const {
  return getArchitecture(name) >= hopperArchitecture;
}

/// An instruction of this chip alone, which its successors do not have.
bool Chip::hasWarpGroups() const { return name == "sm_90a"; }

bool Chip::hasTensorMaps() const {
  return getArchitecture(name) >= hopperArchitecture &&
         ptxVersion >= tensorMapPTX;
}

std::string Chip::getTensorMapError() const {
  return "sm_" + llvm::utostr(hopperArchitecture) +
         " or later and PTX version " + format(tensorMapPTX) +
         " or later, not " + name + " and PTX version " + getPTXVersion();
}

/// What is compiled for the chip by default.
static unsigned getDefaultPTX(const KnownChip &known) {
  if (getArchitecture(known.name) < hopperArchitecture)
    return known.lowestPTX;
  return std::max(known.lowestPTX, tensorMapPTX);
}

static const KnownChip *find(StringRef name) {
  const auto *chip = llvm::find_if(
      knownChips, [&](const KnownChip &known) { return known.name == name; });
  return chip == std::end(knownChips) ? nullptr : chip;
}

int64_t getSharedBytes(StringRef name) {
  const KnownChip *known = find(name);
  return known ? known->sharedKilobytes * 1024 : 0;
}

FailureOr<Chip>
resolveChip(StringRef name, StringRef ptxVersion,
            llvm::function_ref<InFlightDiagnostic()> emitError) {
  const KnownChip *known = find(name);
  if (!known) {
    InFlightDiagnostic diagnostic = emitError();
    diagnostic << "chip '" << name << "' is not known; known are ";
    llvm::interleaveComma(knownChips, diagnostic, [&](const KnownChip &chip) {
      diagnostic << chip.name;
    });
    return diagnostic;
  }
  Chip chip{name.str(), getDefaultPTX(*known), known->sharedKilobytes * 1024};
  if (ptxVersion.empty())
    return chip;

  auto [majorText, minorText] = ptxVersion.split('.');
  unsigned major, minor;
  if (majorText.getAsInteger(10, major) || minorText.getAsInteger(10, minor) ||
      minor > 9 || !llvm::is_contained(knownVersions, major * 10 + minor))
    return emitError() << "PTX version '" << ptxVersion
                       << "' is not known; known are 7.0 to 9.0";
  unsigned version = major * 10 + minor;
  if (version < known->lowestPTX)
    return emitError() << "chip " << name << " needs PTX version "
                       << format(known->lowestPTX) << " or later, not "
                       << format(version);
  chip.ptxVersion = version;
  return chip;
}

FailureOr<Chip> parseChip(StringRef name, StringRef features,
                          llvm::function_ref<InFlightDiagnostic()> emitError) {
  std::string version;
  SmallVector<StringRef> list;
  features.split(list, ',', -1, /*KeepEmpty=*/false);
  for (StringRef feature : list) {
    unsigned value;
    if (!feature.consume_front("+ptx") || feature.getAsInteger(10, value))
      return emitError() << "target feature '" << feature
                         << "' is not a PTX version such as +ptx70";
    version = format(value);
  }
  return resolveChip(name, version, emitError);
}

} // namespace pbs
