#include "target/symbols.h"

#include <array>
#include <csignal>
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/debug_info.h"
#include "target/elf_reader.h"

namespace diagnose::target {

// Has a name of its own in this program.
__attribute__((noinline)) void named_place() {
  asm volatile("nop; nop; nop; nop; nop; nop");
}

namespace {

using testing::EndsWith;
using testing::MatchesRegex;
using testing::StartsWith;

// Counts how often a file is read.
class CountingReader final : public FileReader {
 public:
  Result<CallersAnswer> callers(const CallersRequest& request) override { return reader_->callers(request); }
  Result<std::vector<ReturnSite>> return_sites(const ReturnSitesRequest& request) override {
    return reader_->return_sites(request);
  }
  Result<Traits> traits(int fd, const std::string& name) override { return reader_->traits(fd, name); }
  Result<Identity> identify(int fd, const std::string& name) override { return reader_->identify(fd, name); }
  Result<DebugInfo> describe(const DescribeRequest& request) override { return reader_->describe(request); }
  Result<ListAnswer> list(const ListRequest& request) override { return reader_->list(request); }
  Result<FileAnswer> read(const FileRequest& request) override { return reader_->read(request); }
  Result<std::vector<Symbolized>> symbolize(const SymbolizeRequest& request) override {
    ++readings;
    return reader_->symbolize(request);
  }
  int readings = 0;

 private:
  std::unique_ptr<FileReader> reader_ = make_elf_reader();
};

class SymbolsTest : public testing::Test {
 protected:
  static MemoryAddress place(std::uint64_t into) {
    return MemoryAddress{reinterpret_cast<std::uint64_t>(&named_place) + into};
  }
  std::string name(MemoryAddress address, Symbols::Kind kind = Symbols::Kind::instruction, pid_t pid = ::getpid()) {
    return symbols_.name(pid, address, kind);
  }
  ProcFs proc_;
  CountingReader reader_;
  Symbols symbols_{proc_, reader_};
};

TEST_F(SymbolsTest, AnAddressIsItsFunctionTheDistanceAndTheModule) {
  EXPECT_EQ(name(place(2)), "diagnose::target::named_place+0x2 (unit_target)");
  EXPECT_EQ(name(place(0)), "diagnose::target::named_place+0x0 (unit_target)");
}

TEST_F(SymbolsTest, AReturnAddressBelongsToTheCallInFrontOfIt) {
  EXPECT_EQ(name(place(3), Symbols::Kind::return_address), "diagnose::target::named_place+0x3 (unit_target)");
  EXPECT_THAT(name(place(0), Symbols::Kind::return_address),
              testing::Not(StartsWith("diagnose::target::named_place+")));
}

TEST_F(SymbolsTest, AFunctionIsReadOnceHoweverManyOfItsPlacesAreMet) {
  for (std::uint64_t into = 0; into < 6; ++into) (void)name(place(into));
  EXPECT_EQ(reader_.readings, 1);
}

TEST_F(SymbolsTest, AddressesOfSeveralModulesAreNamedInOneGo) {
  const std::array<MemoryAddress, 3> addresses{place(1), MemoryAddress{reinterpret_cast<std::uint64_t>(&::getppid)},
                                               place(2)};
  const std::array<Symbols::Kind, 3> kinds{};
  const auto names = symbols_.names(::getpid(), addresses, kinds);
  ASSERT_EQ(names.size(), 3U);
  EXPECT_THAT(names[0], StartsWith("diagnose::target::named_place+0x1"));
  EXPECT_THAT(names[1], MatchesRegex("(__)?getppid\\+0x0 \\(libc.so.6\\)"));
  EXPECT_THAT(names[2], StartsWith("diagnose::target::named_place+0x2"));
  EXPECT_EQ(reader_.readings, 2);
}

TEST_F(SymbolsTest, CodeMadeAtRunTimeIsAnAddressAndWhatItLiesIn) {
  void* made = ::mmap(nullptr, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  ASSERT_NE(made, MAP_FAILED);
  EXPECT_THAT(name(MemoryAddress{reinterpret_cast<std::uint64_t>(made)}), MatchesRegex("0x[0-9a-f]+ \\(\\[anon\\]\\)"));
  ::munmap(made, 4096);
}

TEST_F(SymbolsTest, WhatNothingMapsIsAnAddress) {
  EXPECT_EQ(name(MemoryAddress{0x10}), "0x10");
  EXPECT_EQ(name(MemoryAddress{0}, Symbols::Kind::return_address), "0x0");
}

TEST_F(SymbolsTest, AProcessThatHasGoneIsNamedByWhatWasKnownOfIt) {
  const pid_t child = ::fork();
  if (child == 0) {
    ::pause();
    ::_exit(0);
  }
  EXPECT_THAT(name(place(1), Symbols::Kind::instruction, child), StartsWith("diagnose::target::named_place"));
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  EXPECT_THAT(name(place(2), Symbols::Kind::instruction, child), StartsWith("diagnose::target::named_place+0x2"));
  Symbols fresh(proc_, reader_);
  EXPECT_THAT(fresh.name(child, place(1), Symbols::Kind::instruction), MatchesRegex("0x[0-9a-f]+"));
}

}  // namespace
}  // namespace diagnose::target
