// SPDX-License-Identifier: Apache-2.0 WITH LLVM-exception

#include "Mutation.h"

#include "Lexer.h"

#include <algorithm>
#include <stdexcept>

using namespace pbs::mutation;
using pbs::runtime::emulator::Lexer;
using pbs::runtime::emulator::Token;

namespace {

/// One instruction, and where it is in the text.
struct Statement {
  std::string kernel;
  std::string opcode;
  /// The operands, each as it is written.
  std::vector<std::string> operands;
  unsigned line = 0;
  /// From the guard to the semicolon, and the opcode alone.
  size_t begin = 0, opcodeBegin = 0, end = 0;
};

bool startsWith(std::string_view text, std::string_view prefix) {
  return text.substr(0, prefix.size()) == prefix;
}

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

/// Finds the instructions of all functions.
class Scanner {
public:
  explicit Scanner(std::string_view ptx) : ptx(ptx), lexer(ptx) { advance(); }

  std::vector<Statement> scan() {
    while (token.kind != Token::Kind::End) {
      if (token.kind == Token::Kind::Invalid)
        throw std::runtime_error("line " + std::to_string(token.line) + ": " +
                                 std::string(token.text));
      if (token.kind == Token::Kind::Dotted)
        skipDirective();
      else if (token.isPunctuation("@") || (token.kind == Token::Kind::Name))
        readStatement();
      else
        advance();
    }
    return std::move(statements);
  }

private:
  void advance() {
    end = begin(token) + token.text.size();
    token = lexer.next();
  }
  size_t begin(const Token &of) const {
    return of.text.data() ? size_t(of.text.data() - ptx.data()) : 0;
  }

  void skipDirective() {
    // These end with their line.
    static const std::set<std::string_view> lines = {
        "version", "target", "address_size", "file", "loc", "section"};
    static const std::set<std::string_view> functions = {"entry", "func"};
    unsigned line = token.line;
    if (lines.count(token.text)) {
      while (token.line == line && token.kind != Token::Kind::End)
        advance();
      return;
    }
    bool isFunction = false;
    while (token.kind != Token::Kind::End) {
      if (token.kind == Token::Kind::Dotted && functions.count(token.text)) {
        isFunction = true;
        advance();
        if (token.isPunctuation("("))
          while (!token.isPunctuation(")") && token.kind != Token::Kind::End)
            advance();
        if (token.isPunctuation(")"))
          advance();
        kernel = token.text;
      }
      if (token.isPunctuation(";") || (isFunction && token.isPunctuation("{")))
        break;
      advance();
    }
    advance();
  }

  void readStatement() {
    Statement statement;
    statement.kernel = kernel;
    statement.begin = begin(token);
    if (token.isPunctuation("@")) {
      advance();
      if (token.isPunctuation("!"))
        advance();
      advance();
    }
    statement.line = token.line;
    statement.opcodeBegin = begin(token);
    advance();
    if (token.isPunctuation(":")) {
      advance();
      return;
    }
    while (token.kind == Token::Kind::Dotted && token.adjacent)
      advance();
    statement.opcode =
        ptx.substr(statement.opcodeBegin, end - statement.opcodeBegin);
    unsigned depth = 0;
    size_t operand = begin(token);
    while (token.kind != Token::Kind::End) {
      bool isLast = token.isPunctuation(";");
      depth += token.isPunctuation("{") || token.isPunctuation("[");
      depth -= token.isPunctuation("}") || token.isPunctuation("]");
      if ((isLast || (depth == 0 && token.isPunctuation(","))) &&
          end > operand) {
        statement.operands.emplace_back(ptx.substr(operand, end - operand));
        operand = begin(token) + 1;
      }
      advance();
      if (isLast)
        break;
    }
    statement.end = end;
    for (std::string &text : statement.operands)
      text.erase(0, text.find_first_not_of(" \t\n"));
    statements.push_back(std::move(statement));
  }

  std::string_view ptx;
  Lexer lexer;
  Token token;
  /// Where the token before the current one ends.
  size_t end = 0;
  std::string kernel;
  std::vector<Statement> statements;
};

bool isClusterBarrier(const Statement &statement) {
  return startsWith(statement.opcode, "barrier.cluster.");
}

bool isMbarrierWait(const Statement &statement) {
  return startsWith(statement.opcode, "mbarrier.test_wait") ||
         startsWith(statement.opcode, "mbarrier.try_wait");
}

/// What a mutant lacks.
bool isSynchronisation(const Statement &statement) {
  static constexpr std::string_view prefixes[] = {"fence.",
                                                  "membar.",
                                                  "bar.",
                                                  "barrier.",
                                                  "mbarrier.arrive",
                                                  "mbarrier.expect_tx",
                                                  "cp.async.commit_group",
                                                  "cp.async.wait_group",
                                                  "cp.async.wait_all",
                                                  "cp.async.mbarrier.arrive",
                                                  "cp.async.bulk.commit_group",
                                                  "cp.async.bulk.wait_group",
                                                  "wgmma.fence",
                                                  "wgmma.commit_group",
                                                  "wgmma.wait_group",
                                                  "griddepcontrol."};
  return isMbarrierWait(statement) ||
         std::any_of(std::begin(prefixes), std::end(prefixes),
                     [&](std::string_view prefix) {
                       return startsWith(statement.opcode, prefix);
                     });
}

/// What tells where an instruction stands: accesses and synchronisation.
bool isEvent(const Statement &statement) {
  static constexpr std::string_view prefixes[] = {
      "ld.",       "st.",       "atom.", "red.",   "cp.",
      "ldmatrix.", "stmatrix.", "mma.",  "wgmma.", "mbarrier."};
  const std::string &opcode = statement.opcode;
  return isSynchronisation(statement) ||
         (std::any_of(std::begin(prefixes), std::end(prefixes),
                      [&](std::string_view prefix) {
                        return startsWith(opcode, prefix);
                      }) &&
          !startsWith(opcode, "ld.param") && !startsWith(opcode, "st.param"));
}

/// "cp.async.bulk" of "cp.async.bulk.tensor.2d" and so on.
std::string shortName(const std::string &opcode) {
  size_t position = 0;
  for (unsigned count = 0; count < 3 && position != std::string::npos; ++count)
    position = opcode.find('.', position + 1);
  return opcode.substr(0, position);
}

class MutantMaker {
public:
  explicit MutantMaker(std::string_view ptx)
      : ptx(ptx), statements(Scanner(ptx).scan()) {}

  std::vector<Mutant> make() {
    for (size_t index = 0; index < statements.size(); ++index) {
      const Statement &statement = statements[index];
      weaken(index);
      if (!isSynchronisation(statement))
        continue;
      if (isMbarrierWait(statement)) {
        add(index, "", statement.opcodeBegin,
            "setp.eq.u32 " + statement.operands.at(0) + ", 0, 0;");
        continue;
      }
      add(index, "", statement.begin, "");
      if (contains(statement.opcode, ".arrive") &&
          contains(statement.opcode, ".expect_tx"))
        add(index, " without expect_tx", statement.opcodeBegin,
            plainArrival(statement));
      if (startsWith(statement.opcode, "barrier.cluster.arrive"))
        addWholeBarrier(index);
    }
    return std::move(mutants);
  }

private:
  static std::string plainArrival(const Statement &statement) {
    std::string opcode = statement.opcode;
    opcode.erase(opcode.find(".expect_tx"), 10);
    return opcode + " " + statement.operands.at(0) + ", " +
           statement.operands.at(1) + ";";
  }

  /// The same with less order or for fewer threads than where nothing is said.
  void weaken(size_t index) {
    const Statement &statement = statements[index];
    for (std::string_view prefix :
         {"mbarrier.arrive.expect_tx.", "mbarrier.arrive.",
          "mbarrier.try_wait.parity."})
      if (startsWith(statement.opcode, prefix)) {
        if (!contains(statement.opcode, ".cta") &&
            !contains(statement.opcode, ".cluster"))
          insert(index, " relaxed", prefix.size(), "relaxed.cta.");
        return;
      }
    for (std::string_view prefix : {"atom.global.", "red.global."})
      if (startsWith(statement.opcode, prefix))
        insert(index, " for the CTA", prefix.find('.') + 1, "relaxed.cta.");
  }

  /// Both halves: without one of them the other one is a fault.
  void addWholeBarrier(size_t index) {
    size_t wait = index + 1;
    while (wait < statements.size() && !isClusterBarrier(statements[wait]))
      ++wait;
    if (wait == statements.size() ||
        !contains(statements[wait].opcode, ".wait") ||
        statements[wait].kernel != statements[index].kernel)
      return;
    add(index, " and its wait", statements[index].begin, "");
    replace(mutants.back().text, statements[wait].begin, statements[wait].end,
            "");
  }

  /// As many characters and lines as before: offsets stay.
  void replace(std::string &text, size_t begin, size_t end,
               const std::string &by) const {
    for (size_t position = begin; position < end; ++position) {
      size_t offset = position - begin;
      if (offset < by.size())
        text[position] = by[offset];
      else if (text[position] != '\n')
        text[position] = ' ';
    }
    if (by.size() > end - begin)
      throw std::runtime_error("a mutation is longer than its instruction");
  }

  void add(size_t index, const std::string &how, size_t begin,
           const std::string &by) {
    replace(addMutant(index, how).text, begin, statements[index].end, by);
  }

  /// Adds modifiers `offset` characters behind the begin of the opcode. The
  /// lines stay.
  void insert(size_t index, const std::string &how, size_t offset,
              const std::string &modifiers) {
    addMutant(index, how)
        .text.insert(statements[index].opcodeBegin + offset, modifiers);
  }

  /// Adds the program as it is, for a change of a statement.
  Mutant &addMutant(size_t index, const std::string &how) {
    const Statement &statement = statements[index];
    Mutant mutant;
    mutant.kernel = statement.kernel;
    mutant.line = statement.line;
    mutant.key = statement.kernel + ": " + statement.opcode;
    for (const std::string &operand : statement.operands)
      if (!contains(operand, "%") && !contains(operand, "["))
        mutant.key += " " + operand;
    mutant.key += how + neighbours(index);
    unsigned count = ++keys[mutant.key];
    if (count > 1)
      mutant.key += " #" + std::to_string(count);
    mutant.text = ptx;
    mutants.push_back(std::move(mutant));
    return mutants.back();
  }

  std::string neighbours(size_t index) const {
    std::string text;
    for (size_t before = index; before-- > 0;)
      if (isEvent(statements[before])) {
        if (statements[before].kernel == statements[index].kernel)
          text += ", after " + shortName(statements[before].opcode);
        break;
      }
    for (size_t after = index + 1; after < statements.size(); ++after)
      if (isEvent(statements[after])) {
        if (statements[after].kernel == statements[index].kernel)
          text += ", before " + shortName(statements[after].opcode);
        break;
      }
    return text;
  }

  std::string_view ptx;
  std::vector<Statement> statements;
  std::map<std::string, unsigned> keys;
  std::vector<Mutant> mutants;
};

} // namespace

std::vector<Mutant> pbs::mutation::makeMutants(std::string_view ptx) {
  return MutantMaker(ptx).make();
}
