#include "bench/names.h"

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <fmt/format.h>
#include <fstream>
#include <stdexcept>
#include <thread>

#include "bench/floor.h"

namespace diagnose::bench {
namespace {

using nlohmann::json;
using test::Daemon;
using Clock = std::chrono::steady_clock;

constexpr int rounds = 25;
constexpr long calls = 40'000;

struct Case {
  std::string what;
  test::Command arguments;
  double most_extra_ns;  // over the floor
};

Row row_of(const Daemon& daemon, Load& load, const Case& of) {
  test::Command command = {"attach", "--pid", std::to_string(load.pid()), "serve", "--id", "bench", "--type", "counter",
                           "--name", "bench"};
  command.insert(command.end(), of.arguments.begin(), of.arguments.end());
  std::vector<double> ours;
  std::vector<double> floors;
  Floor floor;
  for (int round = 0; round < rounds; ++round) {
    const json attached = daemon.json(command);
    ours.push_back(load.ns_per_call(calls, "serve"));
    daemon.json({"detach", "bench"});
    floor.attach(load.pid(), load.path(), entry_offset(attached));
    floors.push_back(load.ns_per_call(calls, "serve"));
    floor.detach();
  }
  const double extra = median_difference(ours, floors);
  return {of.what,
          ns(median(ours)),
          ns(median(floors)),
          "-",
          fmt::format("{:+.0f} ns", extra),
          fmt::format("+{:.0f} ns", of.most_extra_ns),
          extra <= of.most_extra_ns};
}

// The peak of the memory of a daemon's readers, one of which takes over from the other, looked at all the while.
class Readers {
 public:
  explicit Readers(pid_t daemon)
      : children_("/proc/" + std::to_string(daemon) + "/task/" + std::to_string(daemon) + "/children"),
        thread_([this] { watch(); }) {}
  Readers(const Readers&) = delete;
  Readers& operator=(const Readers&) = delete;
  ~Readers() { stop(); }

  double stop() {
    enough_ = true;
    if (thread_.joinable()) thread_.join();
    return peak_mb_;
  }

 private:
  void watch() {
    while (!enough_) {
      std::ifstream children(children_);
      for (pid_t child = 0; children >> child;) {
        std::ifstream lines("/proc/" + std::to_string(child) + "/status");
        for (std::string line; std::getline(lines, line);) {
          if (line.rfind("VmHWM:", 0) == 0) peak_mb_ = std::max(peak_mb_, std::stod(line.substr(6)) * 1024 / 1e6);
        }
      }
      std::this_thread::sleep_for(std::chrono::milliseconds(1));
    }
  }

  std::string children_;
  std::atomic<bool> enough_ = false;
  double peak_mb_ = 0;
  std::thread thread_;  // the last: it uses the others
};

// Milliseconds from the start of the client to the end of its work.
double attach_ms(const Daemon& daemon, pid_t pid, const char* function) {
  const auto start = Clock::now();
  const auto ended = daemon.ctl({"attach", "--pid", std::to_string(pid), function, "--type", "log", "--value",
                                 "request->weight", "--where", "len(request->name) > 0", "--id", "bench-large"});
  const double took = milliseconds_since(start);
  if (ended.status != 0) throw std::runtime_error(ended.err);
  daemon.json({"detach", "bench-large"});
  return took;
}

}  // namespace

std::vector<Row> name_rows(const Daemon& daemon, Load& load) {
  return {
      row_of(daemon, load, {"counter with a `std::string` of 16 bytes as label", {"--label", "who=req->name"}, 250}),
      row_of(daemon, load, {"`where: req->uri.len > 100`, false", {"--where", "req->uri.len > 100"}, 40})};
}

std::vector<Row> large_rows() {
  const std::string path = test::program_path("bench_large");
  const test::Program large({"bench_large"});
  std::vector<double> cold;
  std::vector<double> another;
  std::vector<double> again;
  double reader = 0;
  double grown = 0;
  for (int round = 0; round < 5; ++round) {
    const Daemon daemon;
    const double before = resident_mb(daemon.pid());
    {
      Readers readers(daemon.pid());
      cold.push_back(attach_ms(daemon, large.pid(), "handle_108"));
      reader = std::max(reader, readers.stop());
    }
    another.push_back(attach_ms(daemon, large.pid(), "handle_107"));
    again.push_back(attach_ms(daemon, large.pid(), "handle_107"));
    grown = std::max(grown, resident_mb(daemon.pid()) - before);
  }
  const auto megabytes = static_cast<double>(std::filesystem::file_size(path)) / 1e6;
  return {{fmt::format("attach by names to {:.0f} MB, cold", megabytes), ms(median(cold)), "-", "-", "-", "1500 ms",
           median(cold) <= 1500},
          {"another function of the same file", ms(median(another)), "-", "-", "-", "80 ms", median(another) <= 80},
          {"the same, again", ms(median(again)), "-", "-", "-", "80 ms", median(again) <= 80},
          {"the reader's peak memory there", fmt::format("{:.1f} MB", reader), "-", "-", "-", "300 MB", reader <= 300},
          {"the daemon's RSS grows by", fmt::format("{:.1f} MB", grown), "-", "-", "-", "5 MB", grown <= 5}};
}

}  // namespace diagnose::bench
