#include "attach/kernel.h"

#include <bpf/bpf.h>
#include <cerrno>
#include <csignal>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <set>

namespace diagnose::attach {
namespace {

using ::testing::HasSubstr;

// A kernel of our own making.
struct Pretended : KernelTrials {
  std::string release() const override { return "5.10.0-test"; }
  bool has_types() const override { return types; }
  std::optional<std::uint32_t> attach_type(const std::string& name) const override {
    return name == "BPF_TRACE_UPROBE_SESSION" ? session : std::nullopt;
  }
  int load(std::uint32_t) const override { return load_error; }
  int link_directory(std::uint32_t type, std::uint32_t pid) const override {
    if (type == session) return EBADF;
    if (!multi) return EINVAL;
    return pid == static_cast<std::uint32_t>(-1) ? bad_pid_error : EBADF;
  }
  bool has_helper(std::uint32_t helper) const override { return lacking_helpers.count(helper) == 0; }
  Tried system_call(long number) const override { return number == 335 ? uretprobe : uprobe; }
  std::optional<PerfUprobes> perf_uprobes() const override { return perf; }

  bool types = true;
  std::optional<std::uint32_t> session;
  int load_error = 0;
  bool multi = true;
  int bad_pid_error = EINVAL;
  std::set<std::uint32_t> lacking_helpers;
  Tried uretprobe{.error = ENOSYS};
  Tried uprobe{.error = ENOSYS};
  std::optional<PerfUprobes> perf = PerfUprobes{.type = 8, .retprobe_bit = 0};
};

TEST(Kernel, OfToDayHasEverything) {
  Pretended trials;
  trials.session = 57;
  trials.uretprobe = {.error = 0, .signal = SIGILL};
  trials.uprobe = {.error = EPROTO};
  const auto kernel = Kernel::detect(trials);
  ASSERT_TRUE(kernel) << kernel.error().text();
  EXPECT_TRUE(kernel->uprobe_multi);
  EXPECT_TRUE(kernel->scopes_to_process());
  EXPECT_EQ(kernel->session, 57U);
  EXPECT_EQ(kernel->nop5, Nop5::past_red_zone);
  EXPECT_TRUE(kernel->uretprobe_system_call);
  EXPECT_TRUE(kernel->lacks().empty());
}

TEST(Kernel, WithoutUprobeMultiIsServedByPerfEventsAndLimitsNothingToAProcess) {
  Pretended trials;
  trials.multi = false;
  const auto kernel = Kernel::detect(trials);
  ASSERT_TRUE(kernel) << kernel.error().text();
  EXPECT_FALSE(kernel->uprobe_multi);
  EXPECT_FALSE(kernel->scopes_to_process());
  EXPECT_EQ(kernel->perf_uprobes.type, 8U);
  EXPECT_FALSE(kernel->uretprobe_system_call);
  EXPECT_EQ(kernel->nop5, Nop5::ordinary);
  EXPECT_THAT(kernel->lacks(), ::testing::Contains(HasSubstr("uprobe_multi (6.6)")));
}

TEST(Kernel, WhoseProcessFilterMeansThreadsIsNotTrustedWithIt) {
  Pretended trials;
  trials.bad_pid_error = EBADF;  // the path was looked at first: hazard 14
  const auto kernel = Kernel::detect(trials);
  ASSERT_TRUE(kernel) << kernel.error().text();
  EXPECT_TRUE(kernel->uprobe_multi);
  EXPECT_FALSE(kernel->scopes_to_process());
  EXPECT_THAT(kernel->lacks(), ::testing::Contains(HasSubstr("process filter")));
}

TEST(Kernel, SchemeOfNopsIsToldByTheErrorOfItsSystemCall) {
  const auto scheme = [](Tried tried) {
    Pretended trials;
    trials.uprobe = tried;
    return Kernel::detect(trials)->nop5;
  };
  EXPECT_EQ(scheme({.error = ENOSYS}), Nop5::ordinary);
  EXPECT_EQ(scheme({.error = EPROTO}), Nop5::past_red_zone);
  EXPECT_EQ(scheme({.error = ENXIO}), Nop5::over_red_zone);
  EXPECT_EQ(scheme({.error = EPERM}), Nop5::unknown);  // a system call filter
  EXPECT_EQ(scheme({.error = 0, .signal = SIGSYS}), Nop5::unknown);
}

TEST(Kernel, PutsNoBreakpointOnACallWhereThereIsAShadowStack) {
  const auto kernel = Kernel::detect(Pretended());
  ASSERT_TRUE(kernel) << kernel.error().text();
  EXPECT_TRUE(kernel->allows_call_sites(false));
  EXPECT_FALSE(kernel->allows_call_sites(true));
}

TEST(Kernel, TooOldIsToldEverythingItLacksAtOnce) {
  Pretended trials;
  trials.types = false;
  trials.multi = false;
  trials.perf.reset();
  trials.lacking_helpers = {BPF_FUNC_get_attach_cookie, BPF_FUNC_task_storage_get};
  const auto kernel = Kernel::detect(trials);
  ASSERT_FALSE(kernel);
  const std::string text = kernel.error().text();
  for (const char* part :
       {"5.10.0-test", "BTF", "task-local storage", "attach cookies (5.15)", "CONFIG_UPROBE_EVENTS"}) {
    EXPECT_THAT(text, HasSubstr(part));
  }
  EXPECT_THAT(text, ::testing::Not(HasSubstr("ring buffer")));
}

TEST(Kernel, WithoutTheRightsTheyAreWhatIsMissing) {
  Pretended trials;
  trials.load_error = EPERM;
  trials.multi = false;
  const auto kernel = Kernel::detect(trials);
  ASSERT_FALSE(kernel);
  EXPECT_THAT(kernel.error().text(), HasSubstr("CAP_BPF and CAP_PERFMON"));
}

TEST(Kernel, SparesTheRedZoneUnderA5ByteNopOnlyWhereThatIsKnown) {
  const auto spares = [](Nop5 scheme) {
    Kernel kernel;
    kernel.nop5 = scheme;
    return kernel.nop5_spares_red_zone();
  };
  EXPECT_TRUE(spares(Nop5::ordinary));
  EXPECT_TRUE(spares(Nop5::past_red_zone));
  EXPECT_FALSE(spares(Nop5::over_red_zone));
  EXPECT_FALSE(spares(Nop5::unknown));
}

}  // namespace
}  // namespace diagnose::attach
