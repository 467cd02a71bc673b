// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// pbsgpu.plan as the JSON of docs/plan-format.md.

#include "mlir/Dialect/Arith/IR/Arith.h"
#include "mlir/Dialect/LLVMIR/LLVMDialect.h"
#include "mlir/Dialect/LLVMIR/NVVMDialect.h"
#include "mlir/Dialect/MemRef/IR/MemRef.h"
#include "llvm/ADT/StringSet.h"
#include "llvm/ADT/TypeSwitch.h"
#include "llvm/Support/Format.h"

#include "pbs/Dialect/PBSGPU/IR/PBSGPU.h"
#include "pbs/Target/PTX/EmitPTX.h"

using namespace mlir;
namespace json = llvm::json;

namespace pbs {
namespace {

/// The swizzle of a tile, as tensor maps name it.
constexpr int64_t swizzleBytes = 128;

/// Writes one plan as an entry. Keys come in the order of the format's page.
class EntryWriter {
public:
  explicit EntryWriter(json::OStream &json) : json(json) {}

  LogicalResult write(pbsgpu::PlanOp plan);

private:
  FailureOr<json::Value> expression(Value value);
  FailureOr<json::Value> operation(Operation *op);
  /// Extents of an argument or buffer.
  FailureOr<json::Array> shape(Operation *op);
  FailureOr<json::Value> bytes(Value memref);
  /// A stride, times `unit`.
  FailureOr<json::Value> stride(Operation *user, Value memref, int64_t i,
                                int64_t unit = 1);

  LogicalResult writeExpression(StringRef key, Value value);
  LogicalResult writeArgument(pbsgpu::ArgumentOp argument);
  LogicalResult writeBuffer(pbsgpu::BufferOp buffer);
  /// Calls each map like what it is a map of, with a number from the second on.
  void nameMaps(pbsgpu::PlanOp plan);
  LogicalResult writeTensorMap(pbsgpu::TensorMapOp map);
  LogicalResult writeRequirement(pbsgpu::RequireOp require);
  LogicalResult writeMemset(pbsgpu::MemsetOp memset);
  LogicalResult writeLaunch(pbsgpu::LaunchOp launch);
  LogicalResult writeSharedBytes(pbsgpu::LaunchOp launch);
  LogicalResult writeParameter(pbsgpu::LaunchOp launch, Value parameter);

  /// Writes a value on one line.
  void writeCompact(const json::Value &value) {
    json.rawValue(llvm::formatv("{0}", value).str());
  }
  void writeCompact(StringRef key, const json::Value &value) {
    json.attributeBegin(key);
    writeCompact(value);
    json.attributeEnd();
  }

  template <typename... OpTys, typename Write>
  LogicalResult writeAll(pbsgpu::PlanOp plan, StringRef key, Write write) {
    LogicalResult result = success();
    json.attributeArray(key, [&] {
      for (Operation &op : plan.getBody().front())
        if (isa<OpTys...>(op) && succeeded(result))
          result = write(&op);
    });
    return result;
  }

  json::OStream &json;
  llvm::DenseMap<Operation *, std::string> mapNames;
};

StringRef elementTypeName(Type type) {
  if (type.isBF16())
    return "bf16";
  if (type.isF16())
    return "f16";
  if (type.isF32())
    return "f32";
  if (type.isInteger(32))
    return "i32";
  if (type.isInteger(16))
    return "u16";
  return "bool";
}

/// The product of all, with one factor for what is known.
json::Value product(const json::Array &factors, int64_t known) {
  json::Value result = nullptr;
  for (const json::Value &factor : factors) {
    if (std::optional<int64_t> value = factor.getAsInteger())
      known *= *value;
    else if (result == nullptr)
      result = factor;
    else
      result = json::Array{"mul", std::move(result), factor};
  }
  if (result == nullptr)
    return known;
  if (known == 1)
    return result;
  return json::Array{"mul", std::move(result), known};
}

FailureOr<json::Value> attribute(Operation *op, Attribute attr) {
  return llvm::TypeSwitch<Attribute, FailureOr<json::Value>>(attr)
      .Case([](StringAttr text) { return json::Value(text.getValue().str()); })
      .Case([](BoolAttr value) { return json::Value(value.getValue()); })
      .Case([](IntegerAttr value) { return json::Value(value.getInt()); })
      .Case([&](ArrayAttr array) -> FailureOr<json::Value> {
        json::Array values;
        for (Attribute element : array) {
          FailureOr<json::Value> value = attribute(op, element);
          if (failed(value))
            return failure();
          values.push_back(std::move(*value));
        }
        return json::Value(std::move(values));
      })
      .Default([&](Attribute) -> FailureOr<json::Value> {
        return op->emitOpError("contents cannot be written to a plan: ")
               << attr;
      });
}

/// Name of an argument or buffer, empty for another operation.
StringRef memoryName(Value memref) {
  if (auto argument = memref.getDefiningOp<pbsgpu::ArgumentOp>())
    return argument.getName();
  if (auto buffer = memref.getDefiningOp<pbsgpu::BufferOp>())
    return buffer.getName();
  return "";
}

FailureOr<json::Value> EntryWriter::expression(Value value) {
  if (auto metadata = value.getDefiningOp<memref::ExtractStridedMetadataOp>()) {
    unsigned result = cast<OpResult>(value).getResultNumber();
    int64_t rank = metadata.getSizes().size();
    // Results: base, offset, sizes, strides.
    if (result == 1)
      return json::Value(0);
    int64_t i = int64_t(result) - 2;
    if (i >= rank)
      return stride(metadata, metadata.getSource(), i - rank);
    FailureOr<json::Array> extents =
        shape(metadata.getSource().getDefiningOp());
    if (failed(extents))
      return failure();
    return std::move((*extents)[i]);
  }
  if (Operation *op = value.getDefiningOp())
    return operation(op);
  return emitError(value.getLoc(), "a plan cannot express a block argument");
}

FailureOr<json::Value> EntryWriter::operation(Operation *op) {
  auto call = [&](StringRef name) -> FailureOr<json::Value> {
    json::Array array{name.str()};
    for (Value operand : op->getOperands()) {
      FailureOr<json::Value> value = expression(operand);
      if (failed(value))
        return failure();
      array.push_back(std::move(*value));
    }
    return json::Value(std::move(array));
  };
  return llvm::TypeSwitch<Operation *, FailureOr<json::Value>>(op)
      .Case(
          [](pbsgpu::SizeOp size) { return json::Value(size.getName().str()); })
      .Case([](pbsgpu::MultiprocessorsOp) {
        return json::Value("multiprocessors");
      })
      .Case([&](arith::ConstantOp constant) -> FailureOr<json::Value> {
        if (auto flag = dyn_cast<BoolAttr>(constant.getValue()))
          return json::Value(int64_t(flag.getValue()));
        if (auto integer = dyn_cast<IntegerAttr>(constant.getValue()))
          return json::Value(integer.getInt());
        return constant.emitOpError("is not an integer");
      })
      .Case([&](arith::AddIOp) { return call("add"); })
      .Case([&](arith::SubIOp) { return call("sub"); })
      .Case([&](arith::MulIOp) { return call("mul"); })
      .Case([&](arith::FloorDivSIOp) { return call("floordiv"); })
      .Case([&](arith::CeilDivSIOp) { return call("ceildiv"); })
      .Case([&](arith::MinSIOp) { return call("min"); })
      .Case([&](arith::MaxSIOp) { return call("max"); })
      .Case([&](arith::AndIOp) { return call("and"); })
      .Case([&](arith::OrIOp) { return call("or"); })
      .Case([&](arith::SelectOp) { return call("select"); })
      .Case([&](arith::CmpIOp compare) -> FailureOr<json::Value> {
        switch (compare.getPredicate()) {
        case arith::CmpIPredicate::eq:
          return call("eq");
        case arith::CmpIPredicate::ne:
          return call("ne");
        case arith::CmpIPredicate::slt:
          return call("lt");
        case arith::CmpIPredicate::sle:
          return call("le");
        case arith::CmpIPredicate::sgt:
          return call("gt");
        case arith::CmpIPredicate::sge:
          return call("ge");
        default:
          return compare.emitOpError(
              "compares unsigned numbers, which a plan cannot express");
        }
      })
      .Case([&](memref::DimOp dim) -> FailureOr<json::Value> {
        std::optional<int64_t> index = dim.getConstantIndex();
        FailureOr<json::Array> extents = shape(dim.getSource().getDefiningOp());
        if (failed(extents))
          return failure();
        if (!index || *index < 0 || *index >= int64_t(extents->size()))
          return dim.emitOpError("of a plan needs a dimension in range");
        return std::move((*extents)[*index]);
      })
      .Default([](Operation *op) {
        return op->emitOpError("cannot be written to a plan");
      });
}

FailureOr<json::Array> EntryWriter::shape(Operation *op) {
  json::Array result;
  auto append = [&](auto memory) -> LogicalResult {
    OperandRange dynamic = memory.getDynamicShape();
    for (int64_t extent : memory.getStaticShape()) {
      if (!ShapedType::isDynamic(extent)) {
        result.push_back(extent);
        continue;
      }
      FailureOr<json::Value> value = expression(dynamic.front());
      if (failed(value))
        return failure();
      result.push_back(std::move(*value));
      dynamic = dynamic.drop_front();
    }
    return success();
  };
  LogicalResult status = success();
  if (auto argument = dyn_cast_or_null<pbsgpu::ArgumentOp>(op))
    status = append(argument);
  else if (auto buffer = dyn_cast_or_null<pbsgpu::BufferOp>(op))
    status = append(buffer);
  else
    status = op->emitOpError("is neither an argument nor a buffer");
  if (failed(status))
    return failure();
  return result;
}

FailureOr<json::Value> EntryWriter::bytes(Value memref) {
  FailureOr<json::Array> extents = shape(memref.getDefiningOp());
  if (failed(extents))
    return failure();
  unsigned bits = cast<MemRefType>(memref.getType()).getElementTypeBitWidth();
  return product(*extents, std::max(1u, bits / 8));
}

FailureOr<json::Value> EntryWriter::stride(Operation *user, Value memref,
                                           int64_t i, int64_t unit) {
  auto type = cast<MemRefType>(memref.getType());
  if (!type.getLayout().isIdentity()) {
    StringRef name = memoryName(memref);
    if (name.empty())
      return user->emitOpError("needs an argument's strides");
    json::Array factors;
    factors.push_back(json::Array{"stride", name.str(), i});
    return product(factors, unit);
  }
  FailureOr<json::Array> extents = shape(memref.getDefiningOp());
  if (failed(extents))
    return failure();
  for (int64_t outer = 0; outer <= i; ++outer)
    extents->erase(extents->begin());
  return product(*extents, unit);
}

LogicalResult EntryWriter::writeExpression(StringRef key, Value value) {
  FailureOr<json::Value> result = expression(value);
  if (failed(result))
    return failure();
  writeCompact(key, *result);
  return success();
}

LogicalResult EntryWriter::writeArgument(pbsgpu::ArgumentOp argument) {
  auto type = cast<MemRefType>(argument.getType());
  FailureOr<json::Array> extents = shape(argument);
  if (failed(extents))
    return failure();
  json::Object contents;
  if (auto dictionary = argument.getContentsAttr())
    for (NamedAttribute entry : dictionary) {
      FailureOr<json::Value> value = attribute(argument, entry.getValue());
      if (failed(value))
        return failure();
      contents[entry.getName().str()] = std::move(*value);
    }
  json.object([&] {
    json.attribute("name", argument.getName());
    json.attribute("role", pbsgpu::stringifyRole(argument.getRole()));
    json.attribute("type", elementTypeName(type.getElementType()));
    writeCompact("shape", std::move(*extents));
    json.attribute("strides",
                   type.getLayout().isIdentity() ? "contiguous" : "rows");
    json.attribute("alignment", int64_t(argument.getAlignment()));
    if (!contents.empty())
      writeCompact("contents", std::move(contents));
  });
  return success();
}

LogicalResult EntryWriter::writeBuffer(pbsgpu::BufferOp buffer) {
  FailureOr<json::Value> size = bytes(buffer.getResult());
  if (failed(size))
    return failure();
  json.object([&] {
    json.attribute("name", buffer.getName());
    writeCompact("bytes", *size);
    json.attribute("alignment", int64_t(buffer.getAlignment()));
  });
  return success();
}

LogicalResult EntryWriter::writeTensorMap(pbsgpu::TensorMapOp map) {
  pbsgpu::TensorMapType type = map.getType();
  FailureOr<json::Array> extents = shape(map.getSource().getDefiningOp());
  if (failed(extents))
    return failure();
  std::reverse(extents->begin(), extents->end());
  json::Array strides, box{pbsgpu::panelColumns, type.getRows()};
  for (int64_t i = type.getDimensions() - 1; i-- > 0;) {
    FailureOr<json::Value> bytes =
        stride(map, map.getSource(), i,
               type.getElementType().getIntOrFloatBitWidth() / 8);
    if (failed(bytes))
      return failure();
    strides.push_back(std::move(*bytes));
    if (box.size() < extents->size())
      box.push_back(1);
  }
  json.object([&] {
    json.attribute("name", mapNames.at(map));
    json.attribute("tensor", memoryName(map.getSource()));
    json.attribute("type", elementTypeName(type.getElementType()));
    writeCompact("shape", std::move(*extents));
    writeCompact("strides", std::move(strides));
    writeCompact("box", std::move(box));
    json.attribute("swizzle", swizzleBytes);
  });
  return success();
}

LogicalResult EntryWriter::writeRequirement(pbsgpu::RequireOp require) {
  LogicalResult result = success();
  json.object([&] {
    result = writeExpression("condition", require.getCondition());
    json.attribute("message", require.getMessage());
  });
  return result;
}

LogicalResult EntryWriter::writeMemset(pbsgpu::MemsetOp memset) {
  StringRef name = memoryName(memset.getBuffer());
  if (name.empty())
    return memset.emitOpError("needs an argument or a buffer");
  FailureOr<json::Value> size = bytes(memset.getBuffer());
  if (failed(size))
    return failure();
  LogicalResult result = success();
  json.object([&] {
    json.attributeObject("memset", [&] {
      json.attribute("buffer", name);
      json.attribute("value", int64_t(uint8_t(memset.getValue())));
      writeCompact("bytes", *size);
    });
    if (memset.getGuard())
      result = writeExpression("guard", memset.getGuard());
  });
  return result;
}

/// The threads of a CTA in three dimensions, which the kernel says.
static FailureOr<json::Array> getBlock(pbsgpu::LaunchOp launch) {
  auto kernel = SymbolTable::lookupNearestSymbolFrom<LLVM::LLVMFuncOp>(
      launch, launch.getKernelAttr());
  auto threads = kernel ? kernel->getAttrOfType<DenseI32ArrayAttr>(
                              NVVM::NVVMDialect::getReqntidAttrName())
                        : DenseI32ArrayAttr();
  if (!threads || threads.empty() || threads.size() > 3)
    return launch.emitOpError("kernel ")
           << launch.getKernel()
           << " does not say its threads with nvvm.reqntid";
  json::Array block{1, 1, 1};
  for (auto [i, extent] : llvm::enumerate(threads.asArrayRef()))
    block[i] = int64_t(extent);
  return block;
}

LogicalResult EntryWriter::writeLaunch(pbsgpu::LaunchOp launch) {
  if (!launch.getSharedBytes())
    return launch.emitOpError(
        "is not at the nvvm stop: its shared_bytes are missing");
  FailureOr<json::Array> block = getBlock(launch);
  if (failed(block))
    return failure();
  LogicalResult result = success();
  auto also = [&](LogicalResult next) {
    if (failed(next))
      result = failure();
  };
  json.object([&] {
    json.attributeObject("launch", [&] {
      json.attribute("kernel",
                     launch.getKernel().getLeafReference().getValue());
      json::Array grid;
      for (Value extent :
           {launch.getGridX(), launch.getGridY(), launch.getGridZ()}) {
        FailureOr<json::Value> value = expression(extent);
        also(value);
        grid.push_back(succeeded(value) ? *value : json::Value(nullptr));
      }
      writeCompact("grid", std::move(grid));
      writeCompact("block", std::move(*block));
      also(writeSharedBytes(launch));
      json.attributeArray("parameters", [&] {
        for (Value parameter : launch.getParameters())
          also(writeParameter(launch, parameter));
      });
    });
    if (launch.getGuard())
      also(writeExpression("guard", launch.getGuard()));
  });
  return result;
}

LogicalResult EntryWriter::writeSharedBytes(pbsgpu::LaunchOp launch) {
  auto own = int64_t(*launch.getSharedBytes());
  if (!launch.getDynamicSharedBytes()) {
    json.attribute("shared_bytes", own);
    return success();
  }
  FailureOr<json::Value> dynamic = expression(launch.getDynamicSharedBytes());
  if (failed(dynamic))
    return failure();
  std::optional<int64_t> known = dynamic->getAsInteger();
  if (known && (*known < 0 || *known > INT32_MAX - own))
    return launch.emitOpError("dynamic_shared_bytes (")
           << *known << ") must not be negative, nor above " << INT32_MAX
           << " with shared_bytes";
  if (known)
    json.attribute("shared_bytes", own + *known);
  else
    writeCompact("shared_bytes", json::Array{"add", std::move(*dynamic), own});
  return success();
}

LogicalResult EntryWriter::writeParameter(pbsgpu::LaunchOp launch,
                                          Value parameter) {
  if (isa<MemRefType>(parameter.getType())) {
    StringRef name = memoryName(parameter);
    if (name.empty())
      return launch.emitOpError("passes a memref that is neither an argument "
                                "nor a buffer");
    writeCompact(json::Object{{"pointer", name}});
    return success();
  }
  if (isa<pbsgpu::TensorMapType>(parameter.getType())) {
    writeCompact(
        json::Object{{"tensor_map", mapNames.at(parameter.getDefiningOp())}});
    return success();
  }
  if (parameter.getType().isF32()) {
    FloatAttr constant;
    if (!matchPattern(parameter, m_Constant(&constant)) ||
        !constant.getValue().isFinite())
      return launch.emitOpError("passes an f32 that is no finite constant");
    // Nine digits read back as the same f32.
    json.rawValue([&](llvm::raw_ostream &os) {
      os << "{\"f32\":" << llvm::format("%.9g", constant.getValueAsDouble())
         << '}';
    });
    return success();
  }
  FailureOr<json::Value> value = expression(parameter);
  if (failed(value))
    return failure();
  StringRef key = parameter.getType().isInteger(32) ? "i32" : "i64";
  writeCompact(json::Object{{key, std::move(*value)}});
  return success();
}

void EntryWriter::nameMaps(pbsgpu::PlanOp plan) {
  llvm::StringSet<> taken;
  for (auto map : plan.getBody().getOps<pbsgpu::TensorMapOp>()) {
    StringRef source = memoryName(map.getSource());
    std::string name = source.str();
    for (unsigned number = 2; !taken.insert(name).second; ++number)
      name = (source + "_" + Twine(number)).str();
    mapNames[map] = std::move(name);
  }
}

LogicalResult EntryWriter::write(pbsgpu::PlanOp plan) {
  LogicalResult result = success();
  auto also = [&](LogicalResult next) {
    if (failed(next))
      result = failure();
  };
  json.object([&] {
    json.attribute("name", plan.getSymName());
    json::Array sizes;
    for (auto size : plan.getBody().getOps<pbsgpu::SizeOp>())
      sizes.push_back(size.getName());
    writeCompact("sizes", std::move(sizes));
    also(writeAll<pbsgpu::ArgumentOp>(plan, "arguments", [&](Operation *op) {
      return writeArgument(cast<pbsgpu::ArgumentOp>(op));
    }));
    also(writeAll<pbsgpu::RequireOp>(plan, "requirements", [&](Operation *op) {
      return writeRequirement(cast<pbsgpu::RequireOp>(op));
    }));
    also(writeAll<pbsgpu::BufferOp>(plan, "buffers", [&](Operation *op) {
      return writeBuffer(cast<pbsgpu::BufferOp>(op));
    }));
    nameMaps(plan);
    also(writeAll<pbsgpu::TensorMapOp>(plan, "tensor_maps", [&](Operation *op) {
      return writeTensorMap(cast<pbsgpu::TensorMapOp>(op));
    }));
    also(writeAll<pbsgpu::MemsetOp, pbsgpu::LaunchOp>(
        plan, "steps", [&](Operation *op) {
          if (auto memset = dyn_cast<pbsgpu::MemsetOp>(op))
            return writeMemset(memset);
          return writeLaunch(cast<pbsgpu::LaunchOp>(op));
        }));
  });
  return result;
}

} // namespace

LogicalResult writePlan(ModuleOp module, const Chip &chip,
                        const PlanFiles &files, llvm::raw_ostream &os) {
  json::OStream json(os, /*IndentSize=*/2);
  LogicalResult result = success();
  json.object([&] {
    json.attribute("format", "pbs-plan");
    json.attribute("version", 1);
    json.attribute("producer", "pbs-compile " PBS_VERSION);
    json.attributeObject("module", [&] {
      json.attribute("ptx", files.ptx);
      if (!files.cubin.empty())
        json.attribute("cubin", files.cubin);
      json.attribute("chip", chip.name);
      json.attribute("ptx_version", chip.getPTXVersion());
    });
    json.attributeArray("entries", [&] {
      for (auto plan : module.getOps<pbsgpu::PlanOp>())
        if (succeeded(result))
          result = EntryWriter(json).write(plan);
    });
  });
  json.flush();
  os << '\n';
  return result;
}

} // namespace pbs
