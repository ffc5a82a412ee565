#include "attach/own_probes.h"

#include <array>
#include <cerrno>
#include <csignal>
#include <cstdint>
#include <cstdio>
#include <fcntl.h>
#include <fstream>
#include <string>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "attach/detacher.h"
#include "attach/syscall.h"

namespace diagnose::attach {
namespace {

// Where in /proc/self/exe `address` lies, from the maps line that covers it.
std::optional<unsigned long> offset_in_executable(std::uintptr_t address) {
  std::ifstream maps("/proc/self/maps");
  std::string line;
  while (std::getline(maps, line)) {
    unsigned long low = 0;
    unsigned long high = 0;
    unsigned long offset = 0;
    std::array<char, 8> rights{};
    if (std::sscanf(line.c_str(), "%lx-%lx %7s %lx", &low, &high, rights.data(), &offset) != 4) continue;
    if (address >= low && address < high) return address - low + offset;
  }
  return std::nullopt;
}

struct Pipe {
  Fd read;
  Fd write;

  static std::optional<Pipe> open() {
    std::array<int, 2> ends{};
    if (::pipe2(ends.data(), O_CLOEXEC) != 0) return std::nullopt;
    return Pipe{.read = Fd(ends[0]), .write = Fd(ends[1])};
  }
};

// The child's part: waits until it is probed.
[[noreturn]] void measure_and_tell(const Pipe& go, const Pipe& told, double (*measure)()) {
  char word = 0;
  if (::read(go.read.get(), &word, 1) != 1) ::_exit(1);
  ::prctl(PR_SET_DUMPABLE, 0);  // no core file of it
  for (const int fatal : {SIGILL, SIGSEGV, SIGSYS}) ::signal(fatal, SIG_DFL);
  const double measured = measure();
  ::_exit(::write(told.write.get(), &measured, sizeof(measured)) == sizeof(measured) ? 0 : 1);
}

}  // namespace

OwnProbes::OwnProbes(const Kernel& kernel, Detacher& detacher)
    : kernel_(kernel),
      detacher_(detacher),
      executable_(::open("/proc/self/exe", O_RDONLY | O_CLOEXEC)),
      program_(load_empty_program(attach_type(kernel, LinkKind::plain))) {}

OwnProbes::~OwnProbes() {
  detacher_.detach(std::move(links_), [] {});
}

bool OwnProbes::ready() const {
  return executable_ && program_;
}

bool OwnProbes::probe(void (*function)(), pid_t process, LinkKind kind) {
  return probe(function, process, kind, program_.get());
}

bool OwnProbes::probe(void (*function)(), pid_t process, LinkKind kind, int program) {
  const auto offset = offset_in_executable(reinterpret_cast<std::uintptr_t>(function));
  if (!offset) return false;
  const SiteSet site{.offsets = {*offset}, .cookies = {0}};
  auto made = link_sites(kernel_, detacher_, program, site, executable_.get(), "this program", process, kind);
  if (!made) return false;
  for (Fd& link : *made) links_.push_back(std::move(link));
  return true;
}

std::optional<double> OwnProbes::in_child(void (*function)(), LinkKind kind, double (*measure)()) {
  auto go = Pipe::open();
  auto told = Pipe::open();
  if (!go || !told) return std::nullopt;
  const pid_t child = ::fork();
  if (child < 0) return std::nullopt;
  if (child == 0) {
    go->write.reset();
    measure_and_tell(*go, *told, measure);
  }
  told->write.reset();
  std::optional<double> measured;
  double answer = 0;
  if (probe(function, child, kind) && ::write(go->write.get(), "", 1) == 1 &&
      ::read(told->read.get(), &answer, sizeof(answer)) == sizeof(answer)) {
    measured = answer;
  }
  go->write.reset();
  while (::waitpid(child, nullptr, 0) < 0 && errno == EINTR) {
  }
  return measured;
}

}  // namespace diagnose::attach
