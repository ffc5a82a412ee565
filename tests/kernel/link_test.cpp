// Links made both ways, whatever this kernel prefers.
#include "attach/link.h"

#include <bpf/bpf.h>
#include <fcntl.h>
#include <gtest/gtest.h>

#include "attach/canary.h"
#include "attach/detacher.h"
#include "attach/price.h"
#include "attach/syscall.h"
#include "support/links.h"
#include "support/process.h"
#include "target/elf_reader.h"

namespace diagnose::test {
namespace {

using attach::Kernel;
using attach::LinkKind;
using attach::SiteSet;

constexpr std::uint64_t cookie = 40;

// Adds up the cookies of its hits.
class Counter {
 public:
  explicit Counter(const Kernel& kernel, LinkKind kind)
      : sums_(bpf_map_create(BPF_MAP_TYPE_ARRAY, "sums", 4, 8, 1, nullptr)) {
    const auto instruction = [](int code, int to, int from, int offset, int immediate) {
      return bpf_insn{.code = static_cast<__u8>(code),
                      .dst_reg = static_cast<__u8>(to & 0xf),
                      .src_reg = static_cast<__u8>(from & 0xf),
                      .off = static_cast<__s16>(offset),
                      .imm = immediate};
    };
    const std::vector<bpf_insn> code = {
        instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_get_attach_cookie),
        instruction(BPF_ALU64 | BPF_MOV | BPF_X, 6, 0, 0, 0),
        instruction(BPF_ST | BPF_MEM | BPF_W, 10, 0, -4, 0),
        instruction(BPF_LD | BPF_DW | BPF_IMM, 1, BPF_PSEUDO_MAP_FD, 0, sums_.get()),
        instruction(0, 0, 0, 0, 0),
        instruction(BPF_ALU64 | BPF_MOV | BPF_X, 2, 10, 0, 0),
        instruction(BPF_ALU64 | BPF_ADD | BPF_K, 2, 0, 0, -4),
        instruction(BPF_JMP | BPF_CALL, 0, 0, 0, BPF_FUNC_map_lookup_elem),
        instruction(BPF_JMP | BPF_JEQ | BPF_K, 0, 0, 1, 0),
        instruction(BPF_STX | BPF_ATOMIC | BPF_DW, 0, 6, 0, BPF_ADD),
        instruction(BPF_ALU64 | BPF_MOV | BPF_K, 0, 0, 0, 0),
        instruction(BPF_JMP | BPF_EXIT, 0, 0, 0, 0),
    };
    // The call's argument is the context, which r1 holds; the cookie's helper comes first for that.
    auto options = attach::sized<bpf_prog_load_opts>();
    options.expected_attach_type = static_cast<bpf_attach_type>(attach::attach_type(kernel, kind));
    std::string log(1U << 16U, '\0');
    options.log_buf = log.data();
    options.log_size = static_cast<std::uint32_t>(log.size());
    program_ = Fd(bpf_prog_load(BPF_PROG_TYPE_KPROBE, "counter", "GPL", code.data(), code.size(), &options));
    if (!program_) throw std::runtime_error("load: " + errno_text(errno) + ": " + log.c_str());
  }

  [[nodiscard]] int program() const { return program_.get(); }
  [[nodiscard]] std::uint64_t sum() const {
    const std::uint32_t zero = 0;
    std::uint64_t value = 0;
    if (bpf_map_lookup_elem(sums_.get(), &zero, &value) != 0) throw std::runtime_error("read the sum");
    return value;
  }

 private:
  Fd sums_;
  Fd program_;
};

// How this kernel makes links, and how one before 6.6 does.
Kernel kernel_of(bool multi) {
  auto kernel = Kernel::detect();
  if (!kernel) throw std::runtime_error(kernel.error().text());
  if (!multi) {
    kernel->uprobe_multi = false;
    kernel->session.reset();
  }
  return *kernel;
}

class Link : public ::testing::TestWithParam<bool> {
 protected:
  void SetUp() override {
    if (GetParam() && !kernel_of(true).uprobe_multi) GTEST_SKIP() << "needs uprobe_multi";
  }

  // The entries of `function` in `program`.
  SiteSet sites(const std::string& program, const std::string& function) {
    file_.reset(::open(program_path(program).c_str(), O_RDONLY | O_CLOEXEC));
    const auto reader = target::make_elf_reader();
    target::FileRequest request;
    request.fd = file_.get();
    request.name = program;
    request.function = function;
    const auto answer = reader->read(request);
    if (!answer) throw std::runtime_error(answer.error().text());
    SiteSet found;
    for (const target::Function& one : answer->functions) {
      found.offsets.push_back(raw(one.sites.front().offset));
      found.cookies.push_back(cookie);
    }
    return found;
  }

  attach::Detacher detacher_;
  Kernel kernel_ = kernel_of(GetParam());
  Fd file_;
};

TEST_P(Link, CountsEveryCallOfEveryThreadWithTheSitesCookie) {
  const Counter counter(kernel_, LinkKind::plain);
  const SiteSet work = sites("threads", "work");
  Program program({"threads", "4", "1000"});
  const auto links = attach::link_sites(kernel_, detacher_, counter.program(), work, file_.get(), "threads",
                                        program.pid(), LinkKind::plain);
  ASSERT_TRUE(links) << links.error().text();
  EXPECT_EQ(links->size(), 1U);
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 4000);
  EXPECT_EQ(counter.sum(), 4000 * cookie);
}

TEST_P(Link, OnReturnsCountsEveryReturn) {
  const Counter counter(kernel_, LinkKind::returning);
  const SiteSet work = sites("threads", "work");
  Program program({"threads", "2", "500"});
  const auto links = attach::link_sites(kernel_, detacher_, counter.program(), work, file_.get(), "threads",
                                        program.pid(), LinkKind::returning);
  ASSERT_TRUE(links) << links.error().text();
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 1000);
  EXPECT_EQ(counter.sum(), 1000 * cookie);
}

TEST_P(Link, IsLimitedToItsProcessIfTheKernelCan) {
  const Counter counter(kernel_, LinkKind::plain);
  const SiteSet work = sites("threads", "work");
  Program probed({"threads", "2", "100"});
  Program other({"threads", "2", "100"});
  const auto links = attach::link_sites(kernel_, detacher_, counter.program(), work, file_.get(), "threads",
                                        probed.pid(), LinkKind::plain);
  ASSERT_TRUE(links) << links.error().text();
  probed.go();
  other.go();
  EXPECT_EQ(probed.counts().at("calls"), 200);
  EXPECT_EQ(other.counts().at("calls"), 200);
  EXPECT_EQ(counter.sum(), (kernel_.scopes_to_process() ? 200 : 400) * cookie);
}

TEST_P(Link, HoldsOnAllSitesOrOnNone) {
  const Counter counter(kernel_, LinkKind::plain);
  SiteSet many = sites("many", "many_000*");
  ASSERT_EQ(many.offsets.size(), 10U);
  many.offsets.push_back(1UL << 40U);  // far behind the end of the file
  many.cookies.push_back(cookie);
  {
    attach::Detacher undone;
    const auto links = attach::link_sites(kernel_, undone, counter.program(), many, file_.get(), "many", std::nullopt,
                                          LinkKind::plain);
    ASSERT_FALSE(links);
  }
  EXPECT_TRUE(links_of(::getpid()).empty());
  Program program({"many"});
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(counter.sum(), 0U);
}

TEST_P(Link, OnTwentyFunctionsCountsEach) {
  const Counter counter(kernel_, LinkKind::plain);
  const SiteSet many = sites("many", "re:^many_01[01].$");
  Program program({"many"});
  auto links = attach::link_sites(kernel_, detacher_, counter.program(), many, file_.get(), "many", program.pid(),
                                  LinkKind::plain);
  ASSERT_TRUE(links) << links.error().text();
  EXPECT_EQ(links->size(), kernel_.uprobe_multi ? 1U : 20U);
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 2000);
  EXPECT_EQ(counter.sum(), 20 * cookie);
  detacher_.detach(std::move(*links), [] {});
}

INSTANTIATE_TEST_SUITE_P(Way, Link, ::testing::Values(true, false),
                         [](const auto& way) { return way.param ? "Multi" : "PerfEvents"; });

TEST(Session, RunsOneProgramAtEntryAndReturn) {
  const Kernel kernel = kernel_of(true);
  if (!kernel.session) GTEST_SKIP() << "needs uprobe.session";
  attach::Detacher detacher;
  const Counter counter(kernel, LinkKind::session);
  const Fd file(::open(program_path("threads").c_str(), O_RDONLY | O_CLOEXEC));
  const auto reader = target::make_elf_reader();
  target::FileRequest request;
  request.fd = file.get();
  request.name = "threads";
  request.function = "work";
  const auto answer = reader->read(request);
  ASSERT_TRUE(answer) << answer.error().text();
  const SiteSet work{.offsets = {raw(answer->functions.at(0).sites.front().offset)}, .cookies = {cookie}};
  Program program({"threads", "2", "100"});
  const auto links = attach::link_sites(kernel, detacher, counter.program(), work, file.get(), "threads", program.pid(),
                                        LinkKind::session);
  ASSERT_TRUE(links) << links.error().text();
  program.go();
  EXPECT_EQ(program.counts().at("calls"), 200);
  EXPECT_EQ(counter.sum(), 400 * cookie);
}

TEST(Prices, AreMeasuredForEveryClassBothWays) {
  for (const bool multi : {true, false}) {
    const Kernel kernel = kernel_of(multi);
    attach::Detacher detacher;
    const attach::Prices prices = attach::measure_prices(kernel, detacher);
    EXPECT_GT(prices.optimised_ns, 0) << multi;
    EXPECT_GT(prices.emulated_ns, 0) << multi;
    EXPECT_GT(prices.stepped_ns, 0) << multi;
    EXPECT_GT(prices.trampoline_ns, 0) << multi;
    std::printf("%s: optimised %.0f, emulated %.0f, stepped %.0f, trampoline %.0f ns\n",
                multi ? "this kernel's way" : "perf events", prices.optimised_ns, prices.emulated_ns, prices.stepped_ns,
                prices.trampoline_ns);
  }
}

// As every kernel does but 6.11 to 6.12.14 and 6.13.
TEST(Canary, LivesUnderAFilterThatForbidsTheTrampolinesSystemCall) {
  const std::string release = attach::kernel_release();
  int major = 0, minor = 0, patch = 0;
  std::sscanf(release.c_str(), "%d.%d.%d", &major, &minor, &patch);
  const bool asks_filters = major == 6 && (minor == 11 || (minor == 12 && patch < 15) || minor == 13);
  if (asks_filters) GTEST_SKIP() << release << " asks filters about trampolines";
  for (const bool multi : {true, false}) {
    const Kernel kernel = kernel_of(multi);
    attach::Detacher detacher;
    EXPECT_TRUE(attach::trampolines_pass_filters(kernel, detacher)) << multi;
  }
}

TEST(Kernel, IsDetectedAndSaysWhatItLacks) {
  const auto kernel = Kernel::detect();
  ASSERT_TRUE(kernel) << kernel.error().text();
  std::printf("Linux %s: multi %d, process filter %d, session %u, nop5 %d, uretprobe call %d, bpf_loop %d\n",
              attach::kernel_release().c_str(), kernel->uprobe_multi, kernel->multi_filters_processes,
              kernel->session.value_or(0), static_cast<int>(kernel->nop5), kernel->uretprobe_system_call,
              kernel->loop_helper);
  for (const std::string& line : kernel->lacks()) std::printf("without %s\n", line.c_str());
}

}  // namespace
}  // namespace diagnose::test
