// USDT markers: every location counts, and what is guarded by a semaphore runs while it is watched.
#include <array>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <gtest/gtest.h>
#include <unistd.h>

#include "kernel/rig.h"

namespace diagnose::test {
namespace {

constexpr const char* counter = "instrument: {type: counter, name: hits}";

std::string at_marker(pid_t pid, const std::string& marker) {
  return "target: {pid: " + std::to_string(pid) + ", usdt: \"" + marker + "\"}, ";
}

// As the process has it in its memory; -1 if that cannot be read.
int semaphore(pid_t pid, const target::Module& module, const target::Site& site) {
  const target::ProcFs proc;
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    unsigned long long low = 0;
    unsigned long long high = 0;
    unsigned long long offset = 0;
    std::array<char, 5> rights{};
    if (std::sscanf(line.c_str(), "%llx-%llx %4s %llx", &low, &high, rights.data(), &offset) != 4) continue;
    const std::uint64_t at = raw(site.semaphore);
    if (rights[1] != 'w' || !line.ends_with(module.path) || at < offset || at - offset >= high - low) continue;
    const auto bytes = proc.memory(pid, MemoryAddress{low + at - offset}, 2);
    if (!bytes) return -1;
    return static_cast<int>((*bytes)[0]) | static_cast<int>((*bytes)[1]) << 8;
  }
  return -1;
}

TEST(Markers, AreCountedAtEveryLocation) {
  Program program({"markers", "300"});
  Rig rig(at_marker(program.pid(), "shop:step") + counter);
  rig.attach();
  ASSERT_EQ(rig.resolution().modules.at(0).functions.size(), 2U);
  for (const auto& function : rig.resolution().modules.at(0).functions) {
    EXPECT_EQ(function.sites.at(0).kind, target::SiteKind::usdt);
    EXPECT_EQ(function.sites.at(0).instruction, "nop");
    EXPECT_EQ(function.sites.at(0).cost, target::Cost::emulated);
  }
  program.go();
  program.enough();
  EXPECT_EQ(program.counts().at("steps"), 600);
  EXPECT_EQ(rig.value(), 600);
}

TEST(Markers, ReadTheirArgumentsAtEachLocationFromItsOwnPlace) {
  Program program({"locations", "300"});
  const Fd file(::open(program.path().c_str(), O_RDONLY | O_CLOEXEC));
  const auto reader = target::make_elf_reader();
  target::FileRequest request;
  request.fd = file.get();
  request.by = target::PlaceBy::usdt;
  request.function = "shop:level";
  const auto found = reader->read(request);
  ASSERT_TRUE(found) << found.error().text();
  target::DescribeRequest described{.fd = file.get(), .name = "locations"};
  for (const auto& function : found->functions) {
    described.places.push_back({.at = function.sites.at(0).address, .entry = false, .marker = true});
  }
  const auto info = reader->describe(described);
  ASSERT_TRUE(info) << info.error().text();
  std::vector<compile::Subject> places;
  for (std::size_t at = 0; at < found->functions.size(); ++at) {
    places.push_back({.debug = &*info, .place = at, .site = found->functions[at].sites.at(0).address});
  }
  Rig rig(at_marker(program.pid(), "shop:level") +
              "instrument: {type: gauge, operation: inc, name: level, value: arg0, labels: {location: arg1}}",
          Rig::Places{places});
  rig.attach();
  program.go();
  const auto counts = program.counts();
  for (int location = 0; location < 8; ++location) {
    const std::string number = std::to_string(location);
    EXPECT_EQ(rig.by_label()[number], counts.at("sum" + number)) << location;
  }
  EXPECT_EQ(rig.hits(), 2400U);
  EXPECT_EQ(rig.lost_in_all(), 0U);
}

TEST(Markers, OfASemaphoreArePassedWhileTheyAreWatchedAndNotAfterwards) {
  Process process({program_path("markers"), "300"});
  ASSERT_EQ(process.line().substr(0, 6), "ready ");
  Rig rig(at_marker(process.pid(), "shop:guarded") + counter);
  rig.attach();
  Rig second(at_marker(process.pid(), "shop:guarded") + counter);
  second.attach();
  process.write("\n");
  const std::string raised = process.line();
  EXPECT_NE(raised, "semaphore=0");
  rig.detach();
  second.detach();
  process.write("\n");
  const auto counts = counts_in(process.finish().out);
  EXPECT_EQ(counts.at("guarded"), 300);
  EXPECT_EQ(rig.value(), 300);
  EXPECT_EQ(second.value(), 300);
  EXPECT_EQ(counts.at("guarded_later"), 0);
  EXPECT_EQ(counts.at("semaphore_later"), 0);
}

TEST(Markers, NobodyPassesAGuardedOneThatNobodyWatches) {
  Program program({"markers", "300"});
  Rig rig(at_marker(program.pid(), "shop:step") + counter);
  rig.attach();
  program.go();
  program.enough();
  EXPECT_EQ(program.counts().at("guarded"), 0);
}

// Debian's python3.11 has the provider `python`, each marker with a semaphore.  Its function__entry is passed only
// while Python traces itself.
TEST(Markers, OfPythonCountTheReturnsOfItsFunctionsWhileTheyAreWatched) {
  if (::access("/usr/bin/python3.11", X_OK) != 0) GTEST_SKIP() << "needs /usr/bin/python3.11";
  const char* script =
      "import os\n"
      "def counted(n):\n"
      "  return n + 1\n"
      "os.write(1, b'ready %d\\n' % os.getpid())\n"
      "os.read(0, 1)\n"
      "for i in range(500): counted(i)\n"
      "os.write(1, b'done\\n')\n"
      "os.read(0, 1)\n"
      "for i in range(500): counted(i)\n"
      "os.write(1, b'done\\n')\n"
      "os.read(0, 1)\n";
  Process python({"/usr/bin/python3.11", "-I", "-S", "-c", script});
  ASSERT_EQ(python.line().substr(0, 6), "ready ") << "install python3.11";
  Rig returns(at_marker(python.pid(), "python:function__return") + counter);
  returns.attach();
  const auto& site = returns.resolution().modules.at(0).functions.at(0).sites.at(0);
  EXPECT_EQ(semaphore(python.pid(), returns.resolution().modules.at(0), site), 1);
  python.write("\n");
  EXPECT_EQ(python.line(), "done");
  EXPECT_EQ(returns.value(), 500);
  returns.detach();
  EXPECT_EQ(semaphore(python.pid(), returns.resolution().modules.at(0), site), 0);
  python.write("\n");
  EXPECT_EQ(python.line(), "done");
  EXPECT_EQ(returns.value(), 500);
}

}  // namespace
}  // namespace diagnose::test
