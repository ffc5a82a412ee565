#include "target/resolver.h"

#include <filesystem>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <sys/stat.h>
#include <unistd.h>

#include "fake_proc.h"
#include "target/debug_info.h"
#include "target/elf_reader.h"

namespace diagnose::target {
namespace {

using testing::Contains;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::SizeIs;

// Answers by the inode of the file that it is given, as the test has written it down, and counts its readings.
class FakeReader final : public FileReader {
 public:
  Result<CallersAnswer> callers(const CallersRequest& /*request*/) override { return CallersAnswer{}; }
  Result<std::vector<ReturnSite>> return_sites(const ReturnSitesRequest& /*request*/) override {
    return std::vector<ReturnSite>{};
  }
  Result<Traits> traits(int /*fd*/, const std::string& /*name*/) override { return Traits{}; }
  Result<Identity> identify(int /*fd*/, const std::string& /*name*/) override { return Identity{}; }
  Result<DebugInfo> describe(const DescribeRequest& /*request*/) override { return DebugInfo{}; }
  Result<ListAnswer> list(const ListRequest& /*request*/) override { return ListAnswer{}; }
  Result<std::vector<Symbolized>> symbolize(const SymbolizeRequest& /*request*/) override {
    return std::vector<Symbolized>{};
  }
  void has(const std::string& path, FileAnswer answer) { answers_[inode_of(path)] = std::move(answer); }
  void has(const std::string& path, const std::string& function) {
    FileAnswer answer;
    answer.functions.emplace_back();
    answer.functions.back().symbol = function;
    answer.functions.back().sites.emplace_back();
    has(path, std::move(answer));
  }
  Result<FileAnswer> read(const FileRequest& request) override {
    ++readings;
    last = request;
    struct stat status {};
    if (::fstat(request.fd, &status) != 0)
      return failure({.what = "read", .where = request.name, .why = "bad descriptor", .mend = {}});
    if (broken_.contains(status.st_ino))
      return failure({.what = "read", .where = request.name, .why = "broken", .mend = {}});
    const auto found = answers_.find(status.st_ino);
    if (found == answers_.end()) return FileAnswer{};
    FileAnswer answer = found->second;
    std::erase_if(answer.functions, [&](const Function& function) { return function.symbol != request.function; });
    return answer;
  }
  void breaks(const std::string& path) { broken_[inode_of(path)] = true; }

  int readings = 0;
  FileRequest last;

 private:
  static ino_t inode_of(const std::string& path) {
    struct stat status {};
    EXPECT_EQ(::stat(path.c_str(), &status), 0) << path;
    return status.st_ino;
  }
  std::map<ino_t, FileAnswer> answers_;
  std::map<ino_t, bool> broken_;
};

class Resolving : public testing::Test {
 protected:
  Resolving() {
    server = proc.file("bin/server");
    client = proc.file("bin/client");
    crypto = proc.file("lib/libcrypto.so.3");
    ssl = proc.file("lib/libssl.so.3.0.9");
    start(10, "server", server);
    start(11, "server", server);
    start(12, "client", client);
  }

  void start(int pid, const std::string& comm, const std::string& exe) {
    proc.process(pid, comm, exe);
    proc.map(pid, exe, "551");
    proc.map(pid, crypto, "7f1");
    proc.map(pid, ssl, "7f2");
  }

  spec::Target target(spec::TargetBy by, const std::string& pattern, const std::string& function,
                      const std::string& module = {}) const {
    spec::Target wanted;
    wanted.by = by;
    wanted.pattern = pattern;
    wanted.function.text = function;
    wanted.module = module;
    return wanted;
  }
  spec::Target pid(std::vector<pid_t> pids, const std::string& function) const {
    spec::Target wanted = target(spec::TargetBy::pid, {}, function);
    wanted.pids = std::move(pids);
    return wanted;
  }
  Result<Resolution> resolve(const spec::Target& wanted) {
    const ProcFs files(proc.root());
    return Resolver(files, reader).resolve(wanted, {.exits = true});
  }

  FakeProc proc;
  FakeReader reader;
  std::string server, client, crypto, ssl;
};

TEST_F(Resolving, GroupsTheProcessesOfOneFileAndReadsItOnce) {
  reader.has(server, "handle");
  const auto resolution = resolve(target(spec::TargetBy::exe, server, "handle"));
  ASSERT_TRUE(resolution) << resolution.error().text();
  ASSERT_THAT(resolution->modules, SizeIs(1));
  const Module& module = resolution->modules.front();
  EXPECT_EQ(module.path, server);
  EXPECT_TRUE(module.is_executable);
  EXPECT_THAT(module.processes, SizeIs(2));
  EXPECT_THAT(module.functions, SizeIs(1));
  EXPECT_THAT(resolution->processes, SizeIs(2));
  EXPECT_THAT(resolution->errors, IsEmpty());
  EXPECT_EQ(reader.readings, 1);
  EXPECT_TRUE(reader.last.exits);
  struct stat held {};
  ASSERT_EQ(::fstat(module.file->get(), &held), 0);
  EXPECT_EQ(held.st_ino, module.inode);
}

TEST_F(Resolving, PrefersTheExecutableToLibrariesWithTheSameName) {
  reader.has(server, "handle");
  reader.has(ssl, "handle");
  const auto resolution = resolve(pid({10}, "handle"));
  ASSERT_TRUE(resolution);
  ASSERT_THAT(resolution->modules, SizeIs(1));
  EXPECT_EQ(resolution->modules.front().path, server);
}

TEST_F(Resolving, FallsBackToTheLibrariesOfTheProcess) {
  reader.has(ssl, "SSL_read");
  const auto resolution = resolve(pid({10, 12}, "SSL_read"));
  ASSERT_TRUE(resolution) << resolution.error().text();
  ASSERT_THAT(resolution->modules, SizeIs(1));
  EXPECT_EQ(resolution->modules.front().path, ssl);
  EXPECT_FALSE(resolution->modules.front().is_executable);
  EXPECT_THAT(resolution->modules.front().processes, SizeIs(2));
  EXPECT_EQ(reader.readings, 4);  // two executables, two libraries
}

TEST_F(Resolving, ListsTheModulesIfTwoHaveTheFunction) {
  reader.has(ssl, "init");
  reader.has(crypto, "init");
  const auto resolution = resolve(pid({10}, "init"));
  ASSERT_FALSE(resolution);
  EXPECT_THAT(resolution.error().why, HasSubstr(ssl));
  EXPECT_THAT(resolution.error().why, HasSubstr(crypto));
  EXPECT_THAT(resolution.error().mend, HasSubstr("module:"));
}

TEST_F(Resolving, FindsAModuleByPathGlobNameAndSoname) {
  reader.has(ssl, "SSL_read");
  reader.has(server, "SSL_read");
  for (const std::string& module : {ssl, proc.path("lib/libssl*"), std::string("libssl.so.3.0.9"),
                                    std::string("libssl.so.3"), std::string("libssl*")}) {
    const auto resolution = resolve(target(spec::TargetBy::comm, "server", "SSL_read", module));
    ASSERT_TRUE(resolution) << module << " " << resolution.error().text();
    ASSERT_THAT(resolution->modules, SizeIs(1)) << module;
    EXPECT_EQ(resolution->modules.front().path, ssl);
  }
  const auto missing = resolve(target(spec::TargetBy::comm, "server", "SSL_read", "libss"));
  ASSERT_FALSE(missing);
  EXPECT_THAT(missing.error().text(), HasSubstr("maps no `libss`"));
}

TEST_F(Resolving, AllTakesEveryProcessThatMapsTheModule) {
  reader.has(ssl, "SSL_read");
  proc.process(20, "static", client);  // maps nothing of it
  const auto resolution = resolve(target(spec::TargetBy::all, {}, "SSL_read", ssl));
  ASSERT_TRUE(resolution) << resolution.error().text();
  ASSERT_THAT(resolution->modules, SizeIs(1));
  EXPECT_THAT(resolution->modules.front().processes, SizeIs(3));
  EXPECT_THAT(resolution->errors, IsEmpty());
}

TEST_F(Resolving, ReadsAModulesFileThoughNobodyMapsIt) {
  const std::string other = proc.file("lib/libother.so");
  reader.has(other, "f");
  const auto resolution = resolve(target(spec::TargetBy::all, {}, "f", other));
  ASSERT_TRUE(resolution) << resolution.error().text();
  ASSERT_THAT(resolution->modules, SizeIs(1));
  EXPECT_THAT(resolution->modules.front().processes, IsEmpty());
  EXPECT_FALSE(resolution->modules.front().is_executable);
}

TEST_F(Resolving, ReadsAnExecutableThatNobodyRunsYetThroughItsLinkToo) {
  const std::string idle = proc.file("bin/idle-2");
  std::filesystem::create_symlink(idle, proc.path("bin/idle"));
  reader.has(idle, "main");
  for (const std::string& path : {idle, proc.path("bin/idle")}) {
    const auto resolution = resolve(target(spec::TargetBy::exe, path, "main"));
    ASSERT_TRUE(resolution) << resolution.error().text();
    ASSERT_THAT(resolution->modules, SizeIs(1));
    EXPECT_TRUE(resolution->modules.front().is_executable);
    EXPECT_EQ(resolution->modules.front().path, idle);
    EXPECT_THAT(resolution->processes, IsEmpty());
  }
  EXPECT_THAT(resolve(target(spec::TargetBy::exe, idle, "nope")).error().why, HasSubstr("no process runs it yet"));
  EXPECT_THAT(resolve(target(spec::TargetBy::exe, proc.path("bin/none"), "main")).error().text(),
              HasSubstr("No such file"));
}

TEST_F(Resolving, NoProcessYetIsNoErrorForGlobsAndNames) {
  for (const auto& wanted :
       {target(spec::TargetBy::exe, "/opt/*/nothing", "f"), target(spec::TargetBy::comm, "none", "f"),
        target(spec::TargetBy::all, {}, "f", "libnone.so")}) {
    const auto resolution = resolve(wanted);
    ASSERT_TRUE(resolution) << resolution.error().text();
    EXPECT_THAT(resolution->modules, IsEmpty());
  }
}

TEST_F(Resolving, AMissingPidIsAnErrorAndDoesNotHarmTheOthers) {
  reader.has(server, "handle");
  EXPECT_THAT(resolve(pid({99}, "handle")).error().text(), HasSubstr("pid 99: no such process"));
  const auto resolution = resolve(pid({99, 10}, "handle"));
  ASSERT_TRUE(resolution);
  EXPECT_THAT(resolution->modules, SizeIs(1));
  ASSERT_THAT(resolution->errors, SizeIs(1));
  EXPECT_EQ(resolution->errors.front().process.pid, 99);
}

TEST_F(Resolving, NoSuchFunctionNamesTheFileAndTheNearestNames) {
  FileAnswer near;
  near.nearest = {"handle", "handler"};
  near.stripped = true;
  reader.has(server, near);
  const auto resolution = resolve(pid({10}, "handel"));
  ASSERT_FALSE(resolution);
  EXPECT_EQ(resolution.error().what, "find `handel`");
  EXPECT_EQ(resolution.error().where, server);
  EXPECT_THAT(resolution.error().why, HasSubstr("stripped"));
  EXPECT_EQ(resolution.error().mend, "did you mean handle, handler?");
}

TEST_F(Resolving, AMatchThatCannotBeProbedIsToldAndHidesTheLibraries) {
  FileAnswer refused;
  refused.refused = {"handle: an ifunc resolver"};
  reader.has(server, refused);
  reader.has(ssl, "handle");
  const auto resolution = resolve(pid({10}, "handle"));
  ASSERT_FALSE(resolution);
  EXPECT_THAT(resolution.error().why, HasSubstr("an ifunc resolver"));
}

TEST_F(Resolving, OneProcessWithoutTheFunctionIsAnErrorOfThatProcess) {
  reader.has(server, "handle");
  proc.process(13, "server", client);
  proc.map(13, client, "551");
  const auto resolution = resolve(target(spec::TargetBy::comm, "server", "handle"));
  ASSERT_TRUE(resolution);
  EXPECT_THAT(resolution->modules, SizeIs(1));
  ASSERT_THAT(resolution->errors, SizeIs(1));
  EXPECT_EQ(resolution->errors.front().process.pid, 13);
}

TEST_F(Resolving, AFileThatCannotBeReadSaysSo) {
  reader.breaks(server);
  EXPECT_EQ(resolve(pid({10}, "handle")).error().why, "broken");
}

TEST_F(Resolving, FollowsAProcessThatAppearedLater) {
  reader.has(server, "handle");
  const ProcFs files(proc.root());
  const auto process = files.process(11);
  ASSERT_TRUE(process);
  const auto resolution =
      Resolver(files, reader).resolve(target(spec::TargetBy::exe, server, "handle"), {.exits = false}, *process);
  ASSERT_TRUE(resolution);
  ASSERT_THAT(resolution->modules, SizeIs(1));
  EXPECT_THAT(resolution->modules.front().processes, ElementsAre(*process));
}

// The whole road on this very program: /proc, its file, its symbols.
extern "C" [[gnu::noinline, gnu::used]] int resolver_test_landmark(int x) {
  return x + 1;
}

TEST(RealResolving, FindsAFunctionOfThisProgramAndOneOfItsLibraries) {
  const ProcFs proc;
  const auto reader = make_elf_reader();
  Resolver resolver(proc, *reader);
  spec::Target target;
  target.by = spec::TargetBy::pid;
  target.pids = {::getpid()};
  target.function.text = "resolver_test_landmark";
  const auto own = resolver.resolve(target, {.exits = true});
  ASSERT_TRUE(own) << own.error().text();
  ASSERT_THAT(own->modules, SizeIs(1));
  EXPECT_TRUE(own->modules.front().is_executable);
  EXPECT_EQ(own->modules.front().functions.front().exits_error, "");
  target.function.text = "getpid";
  target.module = "libc.so.6";
  const auto library = resolver.resolve(target, {.exits = true});
  ASSERT_TRUE(library) << library.error().text();
  ASSERT_THAT(library->modules, SizeIs(1));
  EXPECT_THAT(library->modules.front().path, HasSubstr("libc"));
  target.module.clear();
  target.function.text = "resolver_test_landmrk";
  EXPECT_THAT(resolver.resolve(target, {.exits = true}).error().mend, HasSubstr("resolver_test_landmark"));
}

}  // namespace
}  // namespace diagnose::target
