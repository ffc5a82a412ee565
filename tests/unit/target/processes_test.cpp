#include "target/processes.h"

#include <algorithm>
#include <csignal>
#include <cstring>
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fake_proc.h"

namespace diagnose::target {
namespace {

using testing::HasSubstr;
using testing::SizeIs;

TEST(Processes, AreListedByPidWithoutZombiesAndKernelThreads) {
  FakeProc proc;
  proc.process(30, "late", "/usr/bin/late");
  proc.process(4, "early", "/usr/bin/early (deleted)", 'R', 77);
  proc.process(5, "dead", "", 'Z');
  proc.process(6, "kworker/0:1", "", 'I', 5, 0x00200000);
  std::filesystem::create_directories(proc.root() + "/sys");
  const auto processes = ProcFs(proc.root()).list();
  ASSERT_THAT(processes, SizeIs(2));
  EXPECT_EQ(processes[0], (Process{4, 77, "early", "/usr/bin/early"}));
  EXPECT_EQ(processes[1], (Process{30, 1000, "late", "/usr/bin/late"}));
}

TEST(Processes, KeepACommThatLooksLikeTheFieldsBehindIt) {
  FakeProc proc;
  proc.process(9, "a) Z 1 (b", "/bin/x");
  const auto process = ProcFs(proc.root()).process(9);
  ASSERT_TRUE(process) << process.error().text();
  EXPECT_EQ(process->comm, "a) Z 1 (b");
  EXPECT_EQ(process->start_ticks, 1000U);
}

TEST(Processes, ThatAreNotThereSayWhy) {
  FakeProc proc;
  proc.process(5, "dead", "", 'Z');
  proc.process(6, "kworker", "", 'I', 5, 0x00200000);
  const ProcFs files(proc.root());
  EXPECT_THAT(files.process(4).error().text(), HasSubstr("pid 4: no such process"));
  EXPECT_THAT(files.process(-1).error().text(), HasSubstr("no such process"));
  EXPECT_THAT(files.process(5).error().text(), HasSubstr("zombie"));
  EXPECT_THAT(files.process(6).error().text(), HasSubstr("kernel"));
}

TEST(Processes, ARealZombieIsNoProcess) {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  siginfo_t end{};
  ASSERT_EQ(::waitid(P_PID, static_cast<id_t>(child), &end, WEXITED | WNOWAIT), 0);  // dead, and not yet reaped
  const auto process = ProcFs().process(child);
  ::waitpid(child, nullptr, 0);
  ASSERT_FALSE(process);
  EXPECT_THAT(process.error().why, HasSubstr("zombie"));
}

TEST(Processes, AnotherOneUnderTheSamePidIsNotAlive) {
  FakeProc proc;
  proc.process(9, "first", "/bin/x", 'S', 100);
  const ProcFs files(proc.root());
  const Process first = *files.process(9);
  EXPECT_TRUE(files.alive(first));
  proc.remove(9);
  EXPECT_FALSE(files.alive(first));
  proc.process(9, "second", "/bin/x", 'S', 200);
  EXPECT_FALSE(files.alive(first));
}

TEST(Mappings, AreExecutableFilesOnceEachWithTheExecutableFirst) {
  FakeProc proc;
  const std::string exe = proc.file("bin/x");
  const std::string library = proc.file("lib/liby.so.1");
  proc.process(9, "x", exe);
  proc.append(9,
              "7f00-7f01 r--p 00000000 08:01 4711    /only/data\n"
              "7f02-7f03 rwxp 00000000 00:00 0 \n"
              "7f04-7f05 r-xp 00000000 00:00 0    [vdso]\n"
              "garbage\n");
  proc.map(9, library, "7f1");
  proc.map(9, library, "7f2");
  proc.map(9, exe, "551");
  const auto mappings = ProcFs(proc.root()).mappings(9);
  ASSERT_TRUE(mappings) << mappings.error().text();
  ASSERT_THAT(*mappings, SizeIs(2));
  EXPECT_EQ((*mappings)[0].path, exe);
  EXPECT_TRUE((*mappings)[0].executable_file);
  EXPECT_EQ((*mappings)[1].path, library);
  EXPECT_FALSE((*mappings)[1].executable_file);
  EXPECT_EQ((*mappings)[1].range, "7f1000-7f1fff");
}

TEST(Mappings, OfDeletedAndStrangelyNamedFilesKeepTheirPaths) {
  FakeProc proc;
  proc.process(9, "x", "/gone/x (deleted)");
  proc.append(9,
              "55d0-55d1 r-xp 00001000 08:01 17    /gone/x (deleted)\n"
              "7f00-7f01 r-xp 00001000 fd:0a 18    /odd/a b\\012c\n");
  const auto mappings = ProcFs(proc.root()).mappings(9);
  ASSERT_TRUE(mappings);
  ASSERT_THAT(*mappings, SizeIs(2));
  EXPECT_EQ((*mappings)[0].path, "/gone/x");
  EXPECT_TRUE((*mappings)[0].executable_file);
  EXPECT_EQ((*mappings)[1].path, "/odd/a b\nc");
  EXPECT_EQ((*mappings)[1].device, makedev(0xfd, 0x0a));
  EXPECT_EQ((*mappings)[1].inode, 18U);
}

TEST(Mappings, OfNoProcessAreAnError) {
  FakeProc proc;
  EXPECT_THAT(ProcFs(proc.root()).mappings(9).error().text(), HasSubstr("no such process"));
}

TEST(MappedFile, OfThisProcessIsOpenedAsWhatItMaps) {
  const ProcFs proc;
  const auto process = proc.process(::getpid());
  ASSERT_TRUE(process) << process.error().text();
  EXPECT_TRUE(proc.alive(*process));
  const auto mappings = proc.mappings(::getpid());
  ASSERT_TRUE(mappings);
  ASSERT_GE(mappings->size(), 2U);  // this program and libc
  EXPECT_TRUE(mappings->front().executable_file);
  EXPECT_EQ(mappings->front().path, process->exe);
  for (const Mapping& mapping : *mappings) {
    const auto file = proc.open(::getpid(), mapping);
    ASSERT_TRUE(file) << file.error().text();
    struct stat opened {};
    struct stat named {};
    ASSERT_EQ(::fstat(file->get(), &opened), 0);
    ASSERT_EQ(::stat(mapping.path.c_str(), &named), 0);
    EXPECT_EQ(opened.st_ino, named.st_ino) << mapping.path;
  }
}

TEST(MappedFile, IsOpenedThroughTheProcesssRootWithoutMapFiles) {
  FakeProc proc;
  const std::string library = proc.file("lib/liby.so.1");
  proc.process(9, "x", "/bin/true");
  proc.map(9, library, "7f1", false);
  const ProcFs files(proc.root());
  const auto mappings = files.mappings(9);
  ASSERT_THAT(*mappings, SizeIs(1));
  EXPECT_TRUE(files.open(9, mappings->front()));
}

TEST(MappedFile, IsNeverAnotherFileOfTheSameName) {
  FakeProc proc;
  const std::string library = proc.file("lib/liby.so.1");
  proc.process(9, "x", "/bin/true");
  proc.map(9, library, "7f1", false);
  const ProcFs files(proc.root());
  const auto mappings = files.mappings(9);
  proc.file("lib/new", "other");
  std::filesystem::rename(proc.path("lib/new"), library);
  const auto file = files.open(9, mappings->front());
  ASSERT_FALSE(file);
  EXPECT_THAT(file.error().where, HasSubstr(library));
  EXPECT_FALSE(file.error().mend.empty());
}

TEST(MappedFile, OverANameThatBecameAFifoDoesNotBlock) {
  FakeProc proc;
  const std::string library = proc.file("lib/liby.so.1");
  proc.process(9, "x", "/bin/true");
  proc.map(9, library, "7f1", false);
  const ProcFs files(proc.root());
  const auto mappings = files.mappings(9);
  std::filesystem::remove(library);
  ASSERT_EQ(::mkfifo(library.c_str(), 0600), 0);
  EXPECT_FALSE(files.open(9, mappings->front()));
}

TEST(Matching, ByPidPathGlobSymlinkAndComm) {
  FakeProc proc;
  const std::string real = proc.file("bin/server-1.2");
  const std::string link = proc.path("bin/server");
  std::filesystem::create_symlink(real, link);
  const Process process{9, 1, "a-very-long-nam", real};
  spec::Target target;
  target.by = spec::TargetBy::pid;
  target.pids = {8, 9};
  EXPECT_TRUE(matches(target, process));
  target.pids = {8};
  EXPECT_FALSE(matches(target, process));
  target.by = spec::TargetBy::exe;
  for (const std::string& pattern : {real, link, proc.path("bin/serv*")}) {
    target.pattern = pattern;
    EXPECT_TRUE(matches(target, process)) << pattern;
  }
  for (const std::string& pattern : {proc.path("bin/serv"), proc.path("*1.2"), std::string("server-1.2")}) {
    target.pattern = pattern;
    EXPECT_FALSE(matches(target, process)) << pattern;
  }
  target.by = spec::TargetBy::comm;
  target.pattern = "a-very-long-name-of-a-program";  // the kernel keeps 15 characters
  EXPECT_TRUE(matches(target, process));
  target.pattern = "a-very";
  EXPECT_FALSE(matches(target, process));
  target.by = spec::TargetBy::all;
  EXPECT_TRUE(matches(target, process));
}

TEST(Regions, AreEveryExecutableLineWithItsPlaceInTheFile) {
  FakeProc proc;
  proc.process(9, "x", "/bin/true");
  proc.append(9,
              "00400000-00402000 r-xp 00001000 08:01 77    /usr/bin/one\\040two (deleted)\n"
              "00402000-00403000 r--p 00003000 08:01 77    /usr/bin/one\\040two (deleted)\n"
              "00500000-00501000 r-xp 00008000 08:01 77    /usr/bin/one\\040two (deleted)\n"
              "7f0000000000-7f0000010000 rwxp 00000000 00:00 0 \n"
              "7ffe00000000-7ffe00002000 r-xp 00000000 00:00 0                          [vdso]\n"
              "nonsense r-xp\n");
  const auto regions = ProcFs(proc.root()).regions(9);
  ASSERT_TRUE(regions);
  ASSERT_THAT(*regions, SizeIs(4));
  const Region& first = regions->at(0);
  EXPECT_EQ(first.path, "/usr/bin/one two");
  EXPECT_EQ(first.range, "00400000-00402000");
  EXPECT_EQ(first.inode, 77U);
  EXPECT_TRUE(first.holds(MemoryAddress{0x401fff}));
  EXPECT_FALSE(first.holds(MemoryAddress{0x402000}));
  EXPECT_EQ(first.offset_of(MemoryAddress{0x401234}), FileOffset{0x2234});
  EXPECT_EQ(first.address_of(FileOffset{0x2234}), MemoryAddress{0x401234});
  EXPECT_EQ(first.address_of(FileOffset{0xfff}), std::nullopt);
  EXPECT_EQ(first.address_of(FileOffset{0x3000}), std::nullopt);
  EXPECT_EQ(regions->at(1).offset_of(MemoryAddress{0x500010}), FileOffset{0x8010});
  EXPECT_EQ(regions->at(2).path, "[anon]");
  EXPECT_EQ(regions->at(2).inode, 0U);
  EXPECT_EQ(regions->at(2).address_of(FileOffset{0}), std::nullopt);
  EXPECT_EQ(regions->at(3).path, "[vdso]");
  EXPECT_FALSE(ProcFs(proc.root()).regions(10));
}

TEST(Regions, OfThisProcessHoldItsOwnCode) {
  const auto regions = ProcFs().regions(::getpid());
  ASSERT_TRUE(regions);
  const MemoryAddress here{reinterpret_cast<std::uint64_t>(&matches)};
  const auto own = std::find_if(regions->begin(), regions->end(), [&](const Region& r) { return r.holds(here); });
  ASSERT_NE(own, regions->end());
  EXPECT_EQ(own->path, std::filesystem::read_symlink("/proc/self/exe"));
  EXPECT_EQ(own->address_of(own->offset_of(here)), here);
}

TEST(Process, TellsOfASeccompFilterAndAShadowStack) {
  FakeProc proc;
  proc.process(9, "plain", "/bin/true");
  proc.process(10, "caged", "/bin/true");
  const auto append = [&](int pid, const char* lines) {
    std::ofstream(proc.root() + "/" + std::to_string(pid) + "/status", std::ios::app) << lines;
  };
  append(9, "Seccomp:\t0\nSeccomp_filters:\t0\nx86_Thread_features:\t\nx86_Thread_features_locked:\tshstk\n");
  append(10, "Seccomp:\t2\nSeccomp_filters:\t1\nx86_Thread_features:\tshstk wrss\n");
  const ProcFs files(proc.root());
  EXPECT_FALSE(files.seccomp(9));
  EXPECT_FALSE(files.shadow_stack(9));
  EXPECT_TRUE(files.seccomp(10));
  EXPECT_TRUE(files.shadow_stack(10));
  EXPECT_FALSE(files.seccomp(11));
  EXPECT_FALSE(files.shadow_stack(11));
}

TEST(Memory, IsReadAsTheProcessHasIt) {
  const std::string text = "as it stands";
  const ProcFs files;
  const auto bytes = files.memory(::getpid(), MemoryAddress{reinterpret_cast<std::uint64_t>(text.data())}, text.size());
  ASSERT_TRUE(bytes) << bytes.error().text();
  EXPECT_EQ(std::memcmp(bytes->data(), text.data(), text.size()), 0);
  const auto nothing = files.memory(::getpid(), MemoryAddress{0}, 16);
  ASSERT_FALSE(nothing);
  EXPECT_THAT(nothing.error().text(), HasSubstr("0x0"));
  EXPECT_FALSE(files.memory(::getpid(), MemoryAddress{~std::uint64_t{0}}, 16));
}

TEST(Processes, TheLayoutOfTheirMemoryOutlivesAForkAndNoExec) {
  const ProcFs files;
  const auto own = files.layout(::getpid());
  ASSERT_TRUE(own);
  int ends[2] = {-1, -1};
  ASSERT_EQ(::pipe2(ends, O_CLOEXEC), 0);
  const pid_t child = ::fork();
  if (child == 0) {
    char byte = 0;
    static_cast<void>(::read(ends[0], &byte, 1));
    ::execl("/bin/sleep", "sleep", "60", nullptr);
    ::_exit(1);
  }
  EXPECT_EQ(files.layout(child), own);
  ASSERT_EQ(::write(ends[1], "x", 1), 1);
  const auto executed = [&] { return files.process(child).value_or(Process{}).comm == "sleep"; };
  for (int look = 0; look < 1000 && !executed(); ++look) ::usleep(5000);
  EXPECT_TRUE(files.layout(child));
  EXPECT_NE(files.layout(child), own);
  ::kill(child, SIGKILL);
  ::waitpid(child, nullptr, 0);
  ::close(ends[0]);
  ::close(ends[1]);
  EXPECT_FALSE(files.layout(child));
}

}  // namespace
}  // namespace diagnose::target
