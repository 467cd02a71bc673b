// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Json.h"

#include "pbs/Runtime/Error.h"

#include <vector>

using namespace pbs::runtime;

static constexpr int maximumDepth = 100;

/// "line 3, column 7" of the byte at \p offset.
static std::string positionOf(std::string_view text, size_t offset) {
  size_t line = 1, column = 1;
  for (char character : text.substr(0, offset)) {
    ++column;
    if (character == '\n') {
      ++line;
      column = 1;
    }
  }
  return "line " + std::to_string(line) + ", column " + std::to_string(column);
}

namespace {

/// Refuses what the library accepts: deep nesting, and keys that stand twice.
/// The library's own hook for this, a callback, makes it take time that grows
/// with the square of an array's length.
class Checker : public nlohmann::json_sax<Json> {
public:
  explicit Checker(const std::string &name) : name(name) {}

  bool start_object(std::size_t) override {
    enter();
    keys.emplace_back();
    return true;
  }
  bool key(string_t &key) override {
    if (!keys.back().insert(key).second)
      throw Error(name + ": key " + Json(key).dump() +
                  " stands twice in an object");
    return true;
  }
  bool end_object() override {
    keys.pop_back();
    --depth;
    return true;
  }
  bool start_array(std::size_t) override {
    enter();
    return true;
  }
  bool end_array() override {
    --depth;
    return true;
  }
  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t &) override { return true; }
  bool string(string_t &) override { return true; }
  bool binary(binary_t &) override { return true; }
  /// Left to the parser, which meets it too.
  bool parse_error(std::size_t, const std::string &,
                   const nlohmann::detail::exception &) override {
    return false;
  }

private:
  void enter() {
    if (++depth > maximumDepth)
      throw Error(name + ": nested deeper than " +
                  std::to_string(maximumDepth) + " levels");
  }

  const std::string &name;
  int depth = 0;
  /// Of each object around the current place.
  std::vector<std::set<std::string>> keys;
};

} // namespace

Json pbs::runtime::parseJson(std::string_view text, const std::string &name) {
  // The library's text is "[json.exception.NAME.NUMBER] why", where a syntax
  // error's why starts with "parse error at line 1, column 2: ".
  // It may quote bytes of a file that is no text at all.
  auto reason = [](std::string what, const std::string &separator) {
    for (char &character : what)
      if (character < ' ' || character > '~')
        character = '?';
    size_t found = what.find(separator);
    return found == std::string::npos ? what
                                      : what.substr(found + separator.size());
  };
  try {
    Checker checker(name);
    Json::sax_parse(text.begin(), text.end(), &checker);
    return Json::parse(text.begin(), text.end());
  } catch (const Json::parse_error &error) {
    // byte counts the characters read, the offending one included.
    throw Error(name + ": " +
                positionOf(text, error.byte ? error.byte - 1 : 0) + ": " +
                reason(error.what(), ": "));
  } catch (const Json::exception &error) {
    // A number beyond double's range, for one.
    throw Error(name + ": " + reason(error.what(), "] "));
  }
}

void JsonValue::fail(const std::string &message) const {
  throw Error(document + ": " + (path.empty() ? "" : path + ": ") + message);
}

void JsonValue::failExpected(const std::string &expected) const {
  std::string found = value.dump(-1, ' ', true, Json::error_handler_t::replace);
  if (found.size() > 60)
    found = found.substr(0, 57) + "...";
  fail("expected " + expected + ", found " + found);
}

const std::string &JsonValue::string() const {
  if (!value.is_string())
    failExpected("a string");
  return value.get_ref<const std::string &>();
}

int64_t JsonValue::integer(int64_t minimum, int64_t maximum) const {
  bool fits = value.is_number_integer() &&
              !(value.is_number_unsigned() &&
                value.get<uint64_t>() > static_cast<uint64_t>(INT64_MAX));
  if (!fits || value.get<int64_t>() < minimum || value.get<int64_t>() > maximum)
    failExpected(minimum == INT64_MIN && maximum == INT64_MAX
                     ? "a signed 64-bit integer"
                     : "an integer between " + std::to_string(minimum) +
                           " and " + std::to_string(maximum));
  return value.get<int64_t>();
}

bool JsonValue::boolean() const {
  if (!value.is_boolean())
    failExpected("true or false");
  return value.get<bool>();
}

double JsonValue::number() const {
  if (!value.is_number())
    failExpected("a number");
  return value.get<double>();
}

size_t JsonValue::size() const {
  if (!value.is_array())
    failExpected("an array");
  return value.size();
}

JsonValue JsonValue::element(size_t index) const {
  return JsonValue(value[index], document,
                   path + "[" + std::to_string(index) + "]");
}

JsonObject::JsonObject(const JsonValue &value) : object(value) {
  if (!value.json().is_object())
    value.failExpected("an object");
}

bool JsonObject::has(const std::string &key) const {
  return object.json().contains(key);
}

JsonValue JsonObject::at(const std::string &key) {
  auto found = object.json().find(key);
  if (found == object.json().end())
    object.fail("missing key '" + key + "'");
  known.insert(key);
  return JsonValue(*found, object.document,
                   object.path.empty() ? key : object.path + "." + key);
}

void JsonObject::finish() const {
  for (const auto &item : object.json().items())
    if (!known.count(item.key()))
      object.fail(
          "unknown key " +
          Json(item.key()).dump(-1, ' ', true, Json::error_handler_t::replace));
}
