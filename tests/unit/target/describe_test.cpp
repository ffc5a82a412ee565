#include "target/describe.h"

#include <algorithm>
#include <cstring>
#include <fcntl.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/user.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/fd.h"
#include "target/elf_image.h"

namespace diagnose::target {
namespace {

std::string program(const std::string& name) {
  return std::string(TEST_PROGRAMS_DIR) + "/" + name;
}

DebugInfo describe(const std::string& path, DescribeRequest request) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  request.fd = file.get();
  request.name = path;
  auto info = describe_places(request);
  EXPECT_TRUE(info) << info.error().text();
  return info ? std::move(*info) : DebugInfo{};
}

// Every function of the file, at its entry.
std::vector<DescribeRequest::Place> entries(const std::string& path) {
  const Fd file(::open(path.c_str(), O_RDONLY | O_CLOEXEC));
  const auto image = ElfImage::open(file.get(), path);
  EXPECT_TRUE(image) << path << ": build the target `programs`";
  std::vector<DescribeRequest::Place> places;
  if (!image) return places;
  for (const Symbol& symbol : image->symbols()) {
    const bool seen =
        std::any_of(places.begin(), places.end(), [&](const auto& one) { return one.at == symbol.address; });
    if (symbol.size > 0 && !seen) places.push_back({symbol.address, true});
  }
  return places;
}

std::string plain_name(const Described& described) {
  const std::string name = described.function.substr(0, described.function.find('('));
  const auto space = name.rfind(' ');
  return space == std::string::npos ? name : name.substr(space + 1);
}

const Described* function(const DebugInfo& info, const std::string& name) {
  for (const Described& place : info.places) {
    if (plain_name(place) == name) return &place;
  }
  ADD_FAILURE() << "no function " << name;
  return nullptr;
}

const Variable* variable(const Described& place, const std::string& name) {
  for (const Variable& one : place.variables) {
    if (one.name == name) return &one;
  }
  ADD_FAILURE() << "no variable " << name << " in " << place.function;
  return nullptr;
}

const DebugType::Member* member(const DebugType& type, const std::string& name) {
  for (const DebugType::Member& one : type.members) {
    if (one.name == name) return &one;
  }
  ADD_FAILURE() << "no member " << name << " in " << type.name;
  return nullptr;
}

// A stopped process.
class Stopped {
 public:
  explicit Stopped(pid_t pid) : pid_(pid) { EXPECT_EQ(::ptrace(PTRACE_GETREGS, pid, 0, &registers), 0); }

  std::uint64_t value(std::uint8_t encoding) const {
    const std::uint64_t all[] = {registers.rax, registers.rcx, registers.rdx, registers.rbx,
                                 registers.rsp, registers.rbp, registers.rsi, registers.rdi,
                                 registers.r8,  registers.r9,  registers.r10, registers.r11,
                                 registers.r12, registers.r13, registers.r14, registers.r15};
    return encoding < 16 ? all[encoding] : 0;
  }

  // The bytes that pieces tell of, as hexadecimal text; "?" for those that are not there.
  std::string bytes(const std::vector<Piece>& pieces) const {
    std::string all;
    for (const Piece& piece : pieces) {
      std::vector<unsigned char> out(piece.bytes);
      const std::uint64_t base = piece.base == register_none ? 0 : value(piece.base);
      const std::uint64_t sum = base + static_cast<std::uint64_t>(piece.offset);
      if (piece.where == Piece::Where::memory) {
        iovec here{out.data(), out.size()};
        iovec there{reinterpret_cast<void*>(sum), out.size()};
        EXPECT_EQ(::process_vm_readv(pid_, &here, 1, &there, 1, 0), static_cast<ssize_t>(out.size()));
      } else if (piece.where == Piece::Where::reg || piece.where == Piece::Where::address ||
                 piece.where == Piece::Where::constant) {
        EXPECT_LE(piece.bytes, 8U);
        std::memcpy(out.data(), &sum, std::min<std::size_t>(8, out.size()));
      } else {
        for (std::uint32_t at = 0; at < piece.bytes; ++at) all += "??";
        continue;
      }
      for (const unsigned char byte : out) {
        char text[3];
        std::snprintf(text, sizeof text, "%02x", byte);
        all += text;
      }
    }
    return all;
  }

  user_regs_struct registers{};

 private:
  pid_t pid_;
};

// What a program says of its calls, and what the pieces say at the first call of each function.
struct Story {
  std::map<std::string, std::map<std::string, std::string>> said, seen;  // function -> argument, or "result" -> bytes
};

bool matches(const std::string& seen, const std::string& said) {
  if (seen.size() != said.size()) return false;
  return std::equal(seen.begin(), seen.end(), said.begin(), [](char a, char b) { return a == '?' || a == b; });
}

void read_said(const std::string& output, Story& run) {
  std::istringstream lines(output);
  for (std::string line; std::getline(lines, line);) {
    std::istringstream words(line);
    std::string name;
    std::string what;
    words >> name >> what;
    auto& said = run.said[name];
    if (what == "result") {
      std::string bytes;
      words >> bytes;
      said.emplace("result", bytes);
      continue;
    }
    const auto open = line.find(" (");
    const auto close = line.find(") ", open);
    if (open == std::string::npos || close == std::string::npos) continue;
    std::istringstream names(line.substr(open + 2, close - open - 2));
    std::istringstream values(line.substr(close + 1));
    std::string argument;
    std::string bytes;
    while (std::getline(names >> std::ws, argument, ',') && values >> bytes) {
      said.emplace(argument.starts_with('&') ? argument.substr(1) : argument, bytes);
    }
  }
}

class Traced {
 public:
  Traced(const std::string& path, const DebugInfo& info) : info_(info) {
    int ends[2];
    EXPECT_EQ(::pipe(ends), 0);
    pid_ = ::fork();
    if (pid_ == 0) {
      ::dup2(ends[1], STDOUT_FILENO);
      ::ptrace(PTRACE_TRACEME, 0, 0, 0);
      ::execl(path.c_str(), path.c_str(), nullptr);
      ::_exit(127);
    }
    ::close(ends[1]);
    output_ = Fd(ends[0]);
  }

  Story run() {
    Story run;
    int status = 0;
    ::waitpid(pid_, &status, 0);
    for (const Described& place : info_.places) {
      if (!place.function.empty()) set(raw(place.at));
    }
    while (::ptrace(PTRACE_CONT, pid_, 0, 0) == 0 && ::waitpid(pid_, &status, 0) == pid_ && WIFSTOPPED(status)) {
      EXPECT_EQ(WSTOPSIG(status), SIGTRAP);
      if (WSTOPSIG(status) != SIGTRAP) break;
      Stopped stopped(pid_);
      const std::uint64_t at = --stopped.registers.rip;
      clear(at);
      ::ptrace(PTRACE_SETREGS, pid_, 0, &stopped.registers);
      look(stopped, at, run);
    }
    EXPECT_TRUE(WIFEXITED(status));
    std::string output;
    char buffer[4096];
    for (ssize_t got = 0; (got = ::read(output_.get(), buffer, sizeof buffer)) > 0;) {
      output.append(buffer, static_cast<std::size_t>(got));
    }
    read_said(output, run);
    return run;
  }

 private:
  void set(std::uint64_t at) {
    if (saved_.contains(at)) return;
    const long word = ::ptrace(PTRACE_PEEKTEXT, pid_, at, 0);
    saved_[at] = word;
    ::ptrace(PTRACE_POKETEXT, pid_, at, (word & ~0xffL) | 0xccL);
  }
  void clear(std::uint64_t at) {
    const long word = ::ptrace(PTRACE_PEEKTEXT, pid_, at, 0);
    ::ptrace(PTRACE_POKETEXT, pid_, at, (word & ~0xffL) | (saved_[at] & 0xff));
  }

  void look(const Stopped& stopped, std::uint64_t at, Story& run) {
    if (const auto ended = returns_.find(at); ended != returns_.end()) {
      run.seen[plain_name(*ended->second)].emplace("result", stopped.bytes(ended->second->result_pieces));
      return;
    }
    for (const Described& place : info_.places) {
      if (raw(place.at) != at) continue;
      auto& seen = run.seen[plain_name(place)];
      for (const Variable& one : place.variables) {
        if (!one.pieces.empty()) seen.emplace(one.name, stopped.bytes(one.pieces));
      }
      const std::string back = stopped.bytes({{.where = Piece::Where::memory, .base = register_sp, .bytes = 8}});
      std::uint64_t address = 0;
      for (int byte = 7; byte >= 0; --byte) {
        address = address << 8U | std::stoul(back.substr(static_cast<std::size_t>(byte) * 2, 2), nullptr, 16);
      }
      if (!place.result_pieces.empty() && !saved_.contains(address)) {
        returns_[address] = &place;
        set(address);
      }
    }
  }

  const DebugInfo& info_;
  pid_t pid_ = -1;
  Fd output_;
  std::map<std::uint64_t, long> saved_;
  std::map<std::uint64_t, const Described*> returns_;
};

class DescribedProgram : public ::testing::TestWithParam<const char*> {};

// The program is the judge: it prints what it was given.
TEST_P(DescribedProgram, HasItsArgumentsAndResultsWhereTheDescriptionSays) {
  const std::string path = program(GetParam());
  DescribeRequest request;
  request.places = entries(path);
  const DebugInfo info = describe(path, request);
  ASSERT_TRUE(info.present);
  const Story run = Traced(path, info).run();
  std::size_t compared = 0;
  std::size_t missing = 0;
  for (const auto& [name, values] : run.said) {
    const auto seen = run.seen.find(name);
    for (const auto& [what, bytes] : values) {
      const bool has = seen != run.seen.end() && seen->second.contains(what);
      if (!has) {
        ++missing;
        RecordProperty(name + "." + what, "not told");
        continue;
      }
      ++compared;
      EXPECT_TRUE(matches(seen->second.at(what), bytes))
          << name << " " << what << ": " << seen->second.at(what) << " is " << bytes;
    }
  }
  // With link-time optimisation most functions are clones whose arguments are gone, and it says so.
  const bool has_clones = path.ends_with("lto");
  EXPECT_GT(compared, has_clones ? 20U : 80U);
  // LLVM tells no place of a parameter that is not used, and its callers pass rubbish: two more are not to be had.
  EXPECT_LT(missing, has_clones ? 80U : 10U);
}

INSTANTIATE_TEST_SUITE_P(Builds, DescribedProgram,
                         ::testing::Values("described_O0", "described_O2", "described_dwarf4", "described_Os_dwarf4",
                                           "described_lto", "described_clang_O0", "described_clang_O2",
                                           "described_clang_dwarf4"),
                         [](const auto& build) { return std::string(build.param); });

DebugInfo describe_all(const std::string& build, const std::vector<std::string>& members = {}) {
  const std::string path = program(build);
  DescribeRequest request;
  request.places = entries(path);
  request.members = members;
  request.globals = {"shop::total", "shop::in_thread", "nothing"};
  request.types = {"Node", "struct Pair", "shop::Cart", "unsigned long", "no_such"};
  request.constants = {"RED",         "BLUE", "Level::high", "shop::Cart::State::paid", "shop::Cart::most",
                       "shop::limit", "no"};
  return describe(path, request);
}

class DescribedTypes : public ::testing::TestWithParam<const char*> {};
INSTANTIATE_TEST_SUITE_P(Builds, DescribedTypes,
                         ::testing::Values("described_O0", "described_dwarf4", "described_Os_dwarf4",
                                           "described_clang_O0", "described_clang_dwarf4"),
                         [](const auto& build) { return std::string(build.param); });

TEST_P(DescribedTypes, HaveTheirMembersAndBitFieldsWhereTheCompilerPutsThem) {
  const DebugInfo info = describe_all(GetParam(), {"grid", "bits", "inner", "number", "next"});
  const Described* pointers = function(info, "pointers");
  ASSERT_NE(pointers, nullptr);
  const Variable* node = variable(*pointers, "node");
  ASSERT_NE(node, nullptr);
  const DebugType& pointer = info.types[node->type];
  ASSERT_EQ(pointer.kind, DebugType::Kind::pointer);
  EXPECT_EQ(pointer.name, "const Node*");
  const DebugType& record = info.types[pointer.target];
  EXPECT_EQ(record.kind, DebugType::Kind::record);
  EXPECT_EQ(record.bytes, 56U);
  ASSERT_TRUE(record.expanded);
  const auto* next = member(record, "next");
  ASSERT_NE(next, nullptr);
  EXPECT_EQ(next->offset, 0U);
  EXPECT_EQ(info.types[next->type].kind, DebugType::Kind::pointer);
  EXPECT_EQ(info.types[info.types[next->type].target].name, "Node");
  const auto* nameless = member(record, "");
  ASSERT_NE(nameless, nullptr);
  EXPECT_EQ(nameless->offset, 16U);
  EXPECT_NE(member(info.types[nameless->type], "inner"), nullptr);
  const auto* grid = member(record, "grid");
  ASSERT_NE(grid, nullptr);
  const DebugType& rows = info.types[grid->type];
  EXPECT_EQ(rows.count, 2U);
  EXPECT_EQ(rows.bytes, 24U);
  EXPECT_EQ(info.types[rows.target].count, 3U);
  EXPECT_EQ(info.types[info.types[rows.target].target].name, "int");
  const auto* bits = member(record, "bits");
  ASSERT_NE(bits, nullptr);
  const DebugType& fields = info.types[bits->type];
  const auto lowest = [&](const char* name) {
    const auto* one = member(fields, name);
    return one == nullptr ? UINT64_MAX : one->offset * 8 + one->bit_offset;
  };
  EXPECT_EQ(lowest("low"), 0U);
  EXPECT_EQ(lowest("middle"), 3U);
  EXPECT_EQ(lowest("high"), 10U);
  EXPECT_EQ(lowest("other"), 32U);
  EXPECT_EQ(lowest("rest"), 37U);
  EXPECT_EQ(member(fields, "rest")->bits, 27U);
}

TEST_P(DescribedTypes, AreExpandedOnlyWhereANameAsksForThem) {
  DescribeRequest request;
  request.types = {"Node"};
  const DebugInfo info = describe(program(GetParam()), request);
  const DebugType& record = info.types[info.named_types.at(0).type];
  EXPECT_TRUE(record.expanded);
  const auto* bits = member(record, "bits");
  ASSERT_NE(bits, nullptr);
  EXPECT_FALSE(info.types[bits->type].expanded);
  EXPECT_EQ(info.types[bits->type].bytes, 8U);
}

TEST_P(DescribedTypes, OfTheLibraryAreMadePlain) {
  const DebugInfo info = describe_all(GetParam());
  const Described* strings = function(info, "strings");
  const Described* owners = function(info, "owners");
  ASSERT_NE(strings, nullptr);
  ASSERT_NE(owners, nullptr);
  const auto type = [&](const Described& place, const char* name) { return info.types[variable(place, name)->type]; };
  const DebugType text = type(*strings, "a");
  EXPECT_EQ(text.kind, DebugType::Kind::text);
  EXPECT_EQ(text.name, "std::string");
  EXPECT_EQ(text.bytes, 32U);
  EXPECT_EQ(text.layout.data_offset, 0U);
  EXPECT_EQ(text.layout.size_offset, 8U);
  EXPECT_EQ(info.types[type(*strings, "b").target].kind, DebugType::Kind::text);
  const DebugType view = type(*strings, "c");
  EXPECT_EQ(view.kind, DebugType::Kind::text);
  EXPECT_EQ(view.layout.size_offset, 0U);
  EXPECT_EQ(view.layout.data_offset, 8U);
  EXPECT_TRUE(info.types[type(*strings, "d").target].is_character);
  EXPECT_EQ(type(*owners, "a").kind, DebugType::Kind::smart);
  EXPECT_EQ(info.types[type(*owners, "a").target].name, "int");
  EXPECT_EQ(type(*owners, "b").kind, DebugType::Kind::smart);
  const DebugType maybe = type(*owners, "c");
  EXPECT_EQ(maybe.kind, DebugType::Kind::optional);
  EXPECT_EQ(maybe.layout.data_offset, 0U);
  EXPECT_EQ(maybe.layout.size_offset, 4U);
  EXPECT_EQ(info.types[maybe.target].name, "int");
  const DebugType list = type(*owners, "d");
  EXPECT_EQ(list.kind, DebugType::Kind::sequence);
  EXPECT_TRUE(list.layout.size_is_end);
  EXPECT_EQ(list.layout.size_offset, 8U);
  EXPECT_EQ(info.types[list.target].name, "int");
  EXPECT_EQ(info.types[type(*owners, "e").target].kind, DebugType::Kind::text);
}

TEST(SharedObjects, AProgramHasItsOwnCopyOfAVariableOfALibrary) {
  DescribeRequest of_library;
  of_library.globals = {"shelf::state", "shelf::puts_done"};
  of_library.objects = {"_ZN5shelf5stateE"};
  const DebugInfo library = describe(program("libshelf.so"), of_library);
  ASSERT_EQ(library.globals.size(), 2U);
  EXPECT_EQ(library.globals[0].symbol, "_ZN5shelf5stateE");
  EXPECT_EQ(library.globals[1].symbol, "");
  ASSERT_EQ(library.objects.size(), 1U);
  EXPECT_EQ(library.objects[0].address, library.globals[0].address);
  EXPECT_NE(raw(library.code), 0U);
  DescribeRequest of_program;
  of_program.objects = {"no_such", "_ZN5shelf5stateE"};
  const DebugInfo copies = describe(program("uses_shelf"), of_program);
  ASSERT_EQ(copies.objects.size(), 1U);
  EXPECT_EQ(copies.objects[0].symbol, "_ZN5shelf5stateE");
}

TEST_P(DescribedTypes, GlobalsAndEnumeratorsAreFoundByName) {
  const DebugInfo info = describe_all(GetParam());
  ASSERT_EQ(info.globals.size(), 3U);
  EXPECT_EQ(info.types[info.globals[0].type].name, "int");
  EXPECT_NE(raw(info.globals[0].address), 0U);
  EXPECT_EQ(info.globals[1].why, "lives in thread-local storage");
  EXPECT_EQ(info.globals[2].why, "none of that name");
  ASSERT_EQ(info.named_types.size(), 5U);
  EXPECT_EQ(info.types[info.named_types[0].type].bytes, 56U);
  EXPECT_EQ(info.types[info.named_types[1].type].name, "Pair");
  EXPECT_EQ(info.types[info.named_types[2].type].name, "shop::Cart");
  EXPECT_EQ(info.types[info.named_types[3].type].bytes, 8U);
  EXPECT_EQ(info.named_types[4].type, no_type);
  const auto value = [&](std::size_t at) {
    return info.constants[at].type == no_type ? INT64_MIN : info.constants[at].value;
  };
  EXPECT_EQ(value(0), 1);
  EXPECT_EQ(value(1), -3);
  EXPECT_EQ(value(2), 60000);
  EXPECT_EQ(value(3), 5);
  EXPECT_EQ(value(4), 99);
  EXPECT_EQ(value(5), 12);
  EXPECT_EQ(value(6), INT64_MIN);
}

TEST(Described, WhatIsLinkedTogetherIsNamedAsInItsSource) {
  const DebugInfo info = describe_all("described_lto");
  EXPECT_EQ(info.types[info.named_types[2].type].name, "shop::Cart");
  ASSERT_NE(info.constants[2].type, no_type);
  EXPECT_EQ(info.constants[2].value, 60000);
}

TEST(Described, AMethodHasThisFirstAndSaysWhereItIsDeclared) {
  const DebugInfo info = describe_all("described_O0");
  const Described* add = function(info, "shop::Cart::add");
  ASSERT_NE(add, nullptr);
  ASSERT_EQ(add->variables.size(), 3U);
  EXPECT_EQ(add->variables[0].name, "this");
  EXPECT_TRUE(add->variables[0].is_artificial);
  EXPECT_THAT(add->file, ::testing::EndsWith("described.cpp"));
  EXPECT_GT(add->line, 90U);
}

// Inside of `locals`, at every instruction boundary that a line of the source begins at.
TEST(Described, LocalsAreVisibleInTheirBlocksAndInnerOnesComeFirst) {
  for (const char* build : {"described_O0", "described_clang_O0"}) {
    const std::string path = program(build);
    const DebugInfo all = describe_all(build);
    const Described* locals = function(all, "locals");
    ASSERT_NE(locals, nullptr);
    DescribeRequest request;
    for (std::uint64_t at = 1; at < 80; ++at) request.places.push_back({LinkAddress{raw(locals->low) + at}, false});
    const DebugInfo info = describe(path, request);
    std::size_t in_block = 0;
    for (const Described& place : info.places) {
      if (place.low != locals->low) continue;
      EXPECT_FALSE(place.at_entry);
      std::vector<std::string> names;
      for (const Variable& one : place.variables) names.push_back(one.name);
      if (names.size() < 5) continue;
      ++in_block;
      EXPECT_THAT(names, ::testing::ElementsAre("square", "i", "n", "text", "sum"));
      for (const Variable& one : place.variables) {
        EXPECT_EQ(one.is_parameter, one.name == "n" || one.name == "text");
        ASSERT_EQ(one.pieces.size(), 1U) << one.why;
        EXPECT_EQ(one.pieces.front().where, Piece::Where::memory);
        EXPECT_EQ(one.pieces.front().base, 5) << "rbp";
      }
    }
    EXPECT_GT(in_block, 10U);
    const Variable* n = variable(info.places.front(), "n");
    EXPECT_THAT(n->why, ::testing::HasSubstr("not yet at its place"));
  }
}

TEST(Described, WhatTheCompilerMadeAConstantIsNoRegister) {
  const DebugInfo info = describe_all("described_O2");
  const Described* constant = function(info, "constant");
  ASSERT_NE(constant, nullptr);
  const Variable* b = variable(*constant, "b");
  ASSERT_NE(b, nullptr);
  if (b->pieces.empty()) {
    EXPECT_THAT(b->why, ::testing::HasSubstr("optimised away"));
  } else {
    EXPECT_EQ(b->pieces.front().where, Piece::Where::constant);
    EXPECT_EQ(b->pieces.front().offset, 7);
  }
}

TEST(Described, AFileWithoutDebugInformationIsNoFailure) {
  const std::string path = program("threads_stripped");
  DescribeRequest request;
  request.places = entries(path);
  const DebugInfo info = describe(path, request);
  EXPECT_FALSE(info.present);
  EXPECT_EQ(info.places.size(), request.places.size());
  EXPECT_THAT(info.missing, ::testing::HasSubstr("threads_stripped"));
}

}  // namespace
}  // namespace diagnose::target
