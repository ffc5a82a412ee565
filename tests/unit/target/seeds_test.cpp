// The seeds of tests/fuzz/answer.cpp are requests and answers as they cross to the sandboxed reader and back today: in
// an older form they would be refused at their first bytes, and what lies behind would be met by chance only.
#include <fcntl.h>
#include <filesystem>
#include <fstream>
#include <gtest/gtest.h>
#include <iterator>
#include <map>

#include "base/fd.h"
#include "target/answer_check.h"
#include "target/elf_reader.h"
#include "target/reader_wire.h"

namespace diagnose::target {
namespace {

namespace fs = std::filesystem;

const fs::path folder = TEST_SOURCE_DIR "/fuzz/corpus/answer";
constexpr std::size_t memory = 16U << 20U;
constexpr std::size_t files_max = 8;     // as in tests/fuzz/answer.cpp
constexpr std::size_t bytes_max = 4096;  // as in tests/fuzz/CMakeLists.txt
const char* const hint =
    "the wire has changed: write them anew with `DIAGNOSE_WRITE_SEEDS=1 build/bin/unit_target "
    "--gtest_filter='Seeds.*'`";

using Seeds = std::map<std::string, std::string>;

template <typename T>
T must(Result<T> result) {
  EXPECT_TRUE(result) << result.error().text();
  return result ? std::move(*result) : T{};
}

template <typename Message>
std::string seed_of(Verb verb, const Message& message) {
  wire::Writer out;
  out(message);
  return static_cast<char>(verb) + out.bytes();
}

template <typename Request, typename Answer>
void add(const std::string& name, Verb verb, const Request& request, const Answer& answer, Seeds& seeds) {
  seeds[name + "_request"] = seed_of(verb, request);
  seeds[name] = seed_of(verb, answer);
}

// One question of each kind about a program of ours, and what the reader says.
Seeds made() {
  Seeds seeds;
  const Fd file(::open(TEST_PROGRAMS_DIR "/threads", O_RDONLY | O_CLOEXEC));
  const int fd = file.get();
  const auto reader = make_elf_reader();
  const std::string name = "threads";
  FileRequest read;
  read.fd = fd;
  read.name = name;
  read.function = "work";
  read.exits = true;
  read.debug_fds = {fd};
  read.split = {.fds = {fd}, .names = {"/threads.dwo"}};
  const FileAnswer functions = must(reader->read(read));
  add("read", Verb::read, read, functions, seeds);
  if (functions.functions.empty()) return seeds;
  const Function& work = functions.functions.front();
  const CallersRequest calls{
      .fd = fd, .name = name, .callees = {{.function = 1, .address = work.body.low, .symbols = {"work"}}}};
  const CallersAnswer callers = must(reader->callers(calls));
  add("callers", Verb::callers, calls, callers, seeds);
  ReturnSitesRequest returns{.fd = fd, .name = name, .return_offsets = {}};
  for (const Caller& caller : callers.callers) {
    const std::uint64_t behind = raw(caller.site.address) - raw(caller.site.return_address);
    returns.return_offsets.push_back(FileOffset{raw(caller.site.offset) - behind});
  }
  add("return_sites", Verb::return_sites, returns, must(reader->return_sites(returns)), seeds);
  add("traits", Verb::traits, TraitsRequest{.fd = fd, .name = name}, must(reader->traits(fd, name)), seeds);
  const DescribeRequest describe{.fd = fd,
                                 .name = name,
                                 .places = {{.at = work.body.low}},
                                 .members = {"calls", "label"},
                                 .globals = {"stdout"},
                                 .types = {"Tally"},
                                 .constants = {"labels"}};
  add("describe", Verb::describe, describe, must(reader->describe(describe)), seeds);
  const ListRequest list{.fd = fd, .name = name, .pattern = "work"};
  add("list", Verb::list, list, must(reader->list(list)), seeds);
  const SymbolizeRequest symbolize{.fd = fd, .name = name, .offsets = {work.sites.front().offset, FileOffset{1}}};
  add("symbolize", Verb::symbolize, symbolize, must(reader->symbolize(symbolize)), seeds);
  const IdentityRequest identify{.fd = fd, .name = name};
  add("identify", Verb::identify, identify, must(reader->identify(fd, name)), seeds);
  return seeds;
}

std::string contents(const fs::path& path) {
  std::ifstream in(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(in), {}};
}

template <typename Message>
bool parses(Verb verb, const std::string& seed, Message& message) {
  static const std::vector<Fd> files(files_max);
  if (seed.empty() || seed.size() > bytes_max || seed.front() != static_cast<char>(verb)) return false;
  wire::Reader in(std::string_view(seed).substr(1), memory, files);
  in(message);
  return in.done();
}

template <typename Request, typename Answer>
void check(const std::string& name, Verb verb, const Seeds& seeds) {
  Request request;
  Answer answer;
  ASSERT_TRUE(seeds.contains(name) && seeds.contains(name + "_request")) << name << ": " << hint;
  EXPECT_TRUE(parses(verb, seeds.at(name + "_request"), request)) << name << "_request: " << hint;
  ASSERT_TRUE(parses(verb, seeds.at(name), answer)) << name << ": " << hint;
  const char* const fault = fault_in(answer, request);
  EXPECT_EQ(fault, nullptr) << name << ": " << (fault != nullptr ? fault : "");
}

void check_all(const Seeds& seeds) {
  check<FileRequest, FileAnswer>("read", Verb::read, seeds);
  check<CallersRequest, CallersAnswer>("callers", Verb::callers, seeds);
  check<ReturnSitesRequest, std::vector<ReturnSite>>("return_sites", Verb::return_sites, seeds);
  check<TraitsRequest, Traits>("traits", Verb::traits, seeds);
  check<DescribeRequest, DebugInfo>("describe", Verb::describe, seeds);
  check<ListRequest, ListAnswer>("list", Verb::list, seeds);
  check<SymbolizeRequest, std::vector<Symbolized>>("symbolize", Verb::symbolize, seeds);
  check<IdentityRequest, Identity>("identify", Verb::identify, seeds);
}

// Not where this machine has the sources, but a name as long.
std::string elsewhere(std::string bytes) {
  const std::string root = fs::path(TEST_SOURCE_DIR).parent_path();
  for (std::size_t at = bytes.find(root); at != std::string::npos; at = bytes.find(root, at)) {
    bytes.replace(at + 1, root.size() - 1, root.size() - 1, 's');
  }
  return bytes;
}

TEST(Seeds, CanBeMadeFromAProgramOfOurs) {
  const Seeds seeds = made();
  check_all(seeds);
  if (std::getenv("DIAGNOSE_WRITE_SEEDS") == nullptr) return;
  for (const auto& [name, bytes] : seeds) std::ofstream(folder / name, std::ios::binary) << elsewhere(bytes);
}

TEST(Seeds, OfRequestsAndAnswersAreInTodaysForm) {
  Seeds seeds;
  for (const auto& entry : fs::directory_iterator(folder)) seeds[entry.path().filename()] = contents(entry.path());
  check_all(seeds);
}

}  // namespace
}  // namespace diagnose::target
