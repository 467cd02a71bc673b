// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception
//
// Strict JSON for the runtime's own files. Included by sources only, so that
// the JSON library stays out of the public headers.

#ifndef PBS_RUNTIME_LIB_JSON_H
#define PBS_RUNTIME_LIB_JSON_H

#include <nlohmann/json.hpp>

#include <cstdint>
#include <set>
#include <string>
#include <string_view>

namespace pbs::runtime {

using Json = nlohmann::json;

/// Parses \p text. Throws Error with \p name, line and column on a syntax
/// error, an object with the same key twice, or nesting beyond 100 levels.
Json parseJson(std::string_view text, const std::string &name);

/// A value inside a document together with the way to it, for messages such as
/// "prefill.plan.json: entries[0].name: expected a string, found 5".
class JsonValue {
public:
  JsonValue(const Json &value, std::string document, std::string path = "")
      : value(value), document(std::move(document)), path(std::move(path)) {}

  const Json &json() const { return value; }

  /// Throws Error naming the document and the way to this value.
  [[noreturn]] void fail(const std::string &message) const;
  /// Throws Error "expected EXPECTED, found ...".
  [[noreturn]] void failExpected(const std::string &expected) const;

  const std::string &string() const;
  /// A signed 64-bit integer between \p minimum and \p maximum.
  int64_t integer(int64_t minimum, int64_t maximum) const;
  bool boolean() const;
  double number() const;

  /// The elements of an array.
  size_t size() const;
  JsonValue element(size_t index) const;

private:
  friend class JsonObject;
  const Json &value;
  std::string document;
  std::string path;
};

/// An object whose every key must be asked for before finish().
class JsonObject {
public:
  explicit JsonObject(const JsonValue &value);

  const JsonValue &value() const { return object; }
  bool has(const std::string &key) const;
  /// Throws Error if the key is missing.
  JsonValue at(const std::string &key);
  /// Throws Error if a key was never asked for.
  void finish() const;

private:
  JsonValue object;
  std::set<std::string> known;
};

} // namespace pbs::runtime

#endif // PBS_RUNTIME_LIB_JSON_H
