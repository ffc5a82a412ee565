#include "app/daemon.h"

#include <array>
#include <atomic>
#include <csignal>
#include <ctime>
#include <fmt/format.h>
#include <optional>
#include <systemd/sd-daemon.h>
#include <unistd.h>
#include <utility>

#include "app/agenda.h"
#include "app/budget.h"
#include "app/followers.h"
#include "app/own_series.h"
#include "app/parts.h"
#include "app/process_watch.h"
#include "app/roster.h"
#include "app/spec_folders.h"
#include "app/survey.h"
#include "app/verbs.h"
#include "attach/canary.h"
#include "attach/kernel.h"
#include "attach/lease.h"
#include "bpf/contract.h"
#include "control/server.h"
#include "drain/ring.h"
#include "event/json_text.h"
#include "export/http.h"
#include "state/store.h"
#include "target/debug_search.h"
#include "target/sandboxed_reader.h"

namespace diagnose::app {
namespace {

using namespace std::chrono_literals;

// CLOCK_REALTIME - CLOCK_MONOTONIC, now.
std::chrono::nanoseconds realtime_offset() {
  timespec real{};
  timespec monotonic{};
  ::clock_gettime(CLOCK_REALTIME, &real);
  ::clock_gettime(CLOCK_MONOTONIC, &monotonic);
  return std::chrono::seconds(real.tv_sec - monotonic.tv_sec) +
         std::chrono::nanoseconds(real.tv_nsec - monotonic.tv_nsec);
}

std::string host_name() {
  std::array<char, 256> name{};
  return ::gethostname(name.data(), name.size() - 1) == 0 ? name.data() : "localhost";
}

}  // namespace

// Declared in the order of use: the last goes first.
struct Daemon::Impl {
  Impl(Options with, Log& to) : options(std::move(with)), log(to), own(options.version) {}

  Options options;
  Log& log;
  std::unique_ptr<loop::Loop> loop;
  std::unique_ptr<Agenda> agenda;
  std::unique_ptr<target::SandboxedReader> sandboxed;
  std::unique_ptr<target::Debuginfod> servers;
  std::unique_ptr<target::DebugSearch> reader;  // over both
  target::ProcFs proc;
  std::unique_ptr<target::Resolver> resolver;
  std::unique_ptr<Survey> survey;
  std::unique_ptr<target::Symbols> symbols;
  std::unique_ptr<compile::Stencils> stencils;
  std::unique_ptr<attach::Detacher> detacher;
  Inheritance inheritance;
  metrics::Registry registry;
  OwnSeries own;
  std::optional<state::Store> store;
  std::optional<state::Tombstones> tombstones;
  std::unique_ptr<Parts> parts;
  std::unique_ptr<drain::Ring> ring;
  Followers followers;
  std::unique_ptr<Roster> roster;
  std::unique_ptr<Budget> budget;
  std::unique_ptr<ProcessWatch> processes;
  std::unique_ptr<SpecFolders> folders;
  std::unique_ptr<Verbs> verbs;
  std::unique_ptr<control::Server> server;
  std::unique_ptr<exporter::HttpServer> http;
  std::vector<loop::Source> signals;
  std::atomic<bool> ready = false;  // specs have been read: asked by the HTTP thread
  bool stopping = false;
  bool settling = false;  // what follows from a change of the probes is to be done in this turn
  std::string records;    // lines of log instruments, written once a turn

  Status build();
  Status build_kernel();
  Status load_stencils(std::optional<std::uint32_t> session);
  Status build_front();
  Status catch_signals();
  void changed();
  void yield_leases(int fd);
  void take(const drain::RawRecord& raw);
  void tell(Probe& probe, const spec::Instrument& instrument, const event::Record& record);
  void reload();
  void stop();
  void stop_or_leave();
  [[nodiscard]] Status leave();
  void detach_all();
};

Daemon::Daemon(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Daemon::~Daemon() = default;

Result<std::unique_ptr<Daemon>> Daemon::start(Options options, Log& log) {
  auto impl = std::make_unique<Impl>(std::move(options), log);
  if (auto status = impl->build(); !status) return tl::unexpected(status.error());
  return std::unique_ptr<Daemon>(new Daemon(std::move(impl)));
}

Status Daemon::Impl::build() {
  auto made = loop::Loop::create();
  if (!made) return tl::unexpected(made.error());
  loop = std::move(*made);
  auto timed = Agenda::create(*loop);
  if (!timed) return tl::unexpected(timed.error());
  agenda = std::move(*timed);
  // Before anything that a child could inherit.
  auto reading = target::SandboxedReader::start({.command = {"/proc/self/exe", "--reader-fd"}});
  if (!reading) return tl::unexpected(reading.error());
  sandboxed = std::move(*reading);
  const char* urls = std::getenv("DEBUGINFOD_URLS");
  servers = std::make_unique<target::Debuginfod>(urls != nullptr ? urls : "",
                                                 std::vector<std::string>{"/proc/self/exe", "--debug-file"});
  servers->on_settled([this] {
    loop->post([this] {
      if (roster && !stopping) roster->look_for_debug_files();
    });
  });
  reader = std::make_unique<target::DebugSearch>(*sandboxed, *servers);
  if (auto status = build_kernel(); !status) return status;
  if (auto status = build_front(); !status) return status;
  if (auto status = catch_signals(); !status) return status;
  roster->restore(std::move(inheritance));
  folders->watch(options.settings.specs);
  roster->settle_inheritance();
  ready = true;
  return {};
}

Status Daemon::Impl::build_kernel() {
  auto kernel = attach::Kernel::detect();
  if (!kernel) return tl::unexpected(kernel.error());
  detacher = std::make_unique<attach::Detacher>();
  if (auto status = load_stencils(kernel->session); !status) return status;
  resolver = std::make_unique<target::Resolver>(proc, *reader);
  survey = std::make_unique<Survey>(proc, *reader, !attach::trampolines_pass_filters(*kernel, *detacher));
  symbols = std::make_unique<target::Symbols>(proc, *reader);
  if (!options.settings.state.empty()) {
    auto opened = state::Store::open(options.settings.state);
    if (!opened) return tl::unexpected(opened.error());
    store.emplace(std::move(*opened));
    auto answers = target::AnswerCache::open(options.settings.state + "/answers");
    if (!answers) return tl::unexpected(answers.error());
    sandboxed->keep_answers(std::move(*answers));
    auto marks = state::Tombstones::open(options.settings.state);
    if (!marks) return tl::unexpected(marks.error());
    tombstones.emplace(std::move(*marks));
  }
  const attach::Prices prices = attach::measure_prices(*kernel, *detacher);
  parts = std::make_unique<Parts>(Parts{.loop = *loop,
                                        .log = log,
                                        .agenda = *agenda,
                                        .proc = proc,
                                        .reader = *reader,
                                        .resolver = *resolver,
                                        .survey = *survey,
                                        .symbols = *symbols,
                                        .stencils = *stencils,
                                        .detacher = *detacher,
                                        .kernel = *kernel,
                                        .registry = registry,
                                        .own = own,
                                        .prices = prices,
                                        .run_times = measure_run_times(*kernel, *stencils, *detacher, prices),
                                        .host = host_name(),
                                        .tombstones = tombstones ? &*tombstones : nullptr,
                                        .probe_overhead = options.settings.probe_overhead,
                                        .changed = [this] { changed(); },
                                        .drain =
                                            [this] {
                                              if (ring) ring->drain();
                                            }});
  log.debug(fmt::format(
      "prices, ns: optimised {:.0f}, emulated {:.0f}, stepped {:.0f}, return {:.0f}; programs: call {:.0f}, both ends "
      "{:.0f}, record {:.0f}",
      prices.optimised_ns, prices.emulated_ns, prices.stepped_ns, prices.trampoline_ns, parts->run_times.call,
      parts->run_times.end, parts->run_times.record));
  roster = std::make_unique<Roster>(*parts, store ? &*store : nullptr, options.settings.retention);
  auto opened = drain::Ring::open(*loop, stencils->records_fd(), [this](const drain::RawRecord& raw) { take(raw); });
  if (!opened) return tl::unexpected(opened.error());
  ring = std::move(*opened);
  processes = std::make_unique<ProcessWatch>(*parts, *roster);
  budget = std::make_unique<Budget>(*parts, *roster, options.settings.host_overhead);
  roster->on_change([this] {
    processes->settle();  // at once: the next process may be on its way
    changed();
  });
  registry.add_own([this] { return own.families(); });
  return {};
}

// With the shared maps of the daemon before, if it left any: its programs write to those.
Status Daemon::Impl::load_stencils(std::optional<std::uint32_t> session) {
  if (!options.stored.descriptors.empty()) {
    if (auto handover = read_handover(options.stored.text)) {
      inheritance = Inheritance(std::move(*handover), std::move(options.stored.descriptors));
    } else {
      log.warning(handover.error().text());
      detacher->detach(std::move(options.stored.descriptors), [] {});
    }
    options.stored = {};
  }
  auto loaded =
      compile::Stencils::load({.records = inheritance.records(), .processes = inheritance.processes()}, session);
  if (!loaded && inheritance.records() >= 0) {
    log.warning("what the daemon before has left is of no use: " + loaded.error().why);
    detacher->detach(inheritance.rest().descriptors, [] {});
    inheritance = {};
    loaded = compile::Stencils::load({}, session);
  }
  if (!loaded) return tl::unexpected(loaded.error());
  stencils = std::move(*loaded);
  return {};
}

Status Daemon::Impl::build_front() {
  verbs = std::make_unique<Verbs>(*parts, *roster, followers, options.version);
  auto listening = control::Server::listen(*loop, options.settings.socket, *verbs);
  if (!listening) return tl::unexpected(listening.error());
  server = std::move(*listening);
  folders = std::make_unique<SpecFolders>(*loop, *agenda, log, *roster);
  if (options.settings.listen.empty()) return {};
  auto serving = exporter::HttpServer::start(options.settings.listen, {.metrics = [this] { return registry.collect(); },
                                                                       .ready = [this] { return ready.load(); },
                                                                       .index = [this] { return own.page(); }});
  if (!serving) return tl::unexpected(serving.error());
  http = std::move(*serving);
  return {};
}

Status Daemon::Impl::catch_signals() {
  const auto add = [this](int number, std::function<void(const signalfd_siginfo&)> caught) -> Status {
    auto source = loop->on_signal(number, std::move(caught));
    if (!source) return tl::unexpected(source.error());
    signals.push_back(std::move(*source));
    return {};
  };
  // Who ends us by hand wants the probes gone; a service manager may be about to start us again.
  if (auto status = add(SIGINT, [this](const signalfd_siginfo&) { stop(); }); !status) return status;
  if (auto status = add(SIGTERM, [this](const signalfd_siginfo&) { stop_or_leave(); }); !status) return status;
  if (auto status = add(SIGHUP, [this](const signalfd_siginfo&) { reload(); }); !status) return status;
  // SIGIO is what the kernel sends when its queue of real-time signals is full: any lease may be meant.
  if (auto status = add(SIGIO, [this](const signalfd_siginfo&) { yield_leases(-1); }); !status) return status;
  return add(attach::lease_signal(), [this](const signalfd_siginfo& told) { yield_leases(told.ssi_fd); });
}

// Once a turn, however many probes have changed.
void Daemon::Impl::changed() {
  if (std::exchange(settling, true)) return;
  loop->post([this] {
    settling = false;
    processes->settle();
    budget->settle();
  });
}

void Daemon::Impl::yield_leases(int fd) {
  for (const auto& probe : roster->all()) {
    while (probe->yield_lease(fd)) {
    }
  }
}

void Daemon::Impl::take(const drain::RawRecord& raw) {
  if (raw.kind == RECORD_EXEC || raw.kind == RECORD_FORK) {
    processes->started(raw);
    return;
  }
  const std::shared_ptr<Probe> probe = roster->find(raw.probe);
  if (!probe) return;  // of a probe that has gone: its last records were taken when it ended
  if (raw.kind == RECORD_SPENT) {
    // The ring is being read: the end, which reads it too, must wait its turn.
    loop->post([weak = std::weak_ptr(probe)] {
      if (const auto spent = weak.lock()) spent->spent();
    });
    return;
  }
  if (raw.kind == RECORD_CALLER) {
    probe->met_caller(raw);
    return;
  }
  if (const auto record = probe->take(raw, realtime_offset())) {
    tell(*probe, probe->spec().instruments[raw.instrument], *record);
  }
}

void Daemon::Impl::tell(Probe& probe, const spec::Instrument& instrument, const event::Record& record) {
  const bool is_log = instrument.type == spec::InstrumentType::log;
  if (!is_log && !followers.any(probe.id())) return;
  const std::string text = event::json_text(record, probe.custom_text());
  if (const std::uint64_t refused = followers.send(probe.id(), text); refused != 0) probe.count_slow_follower(refused);
  if (!is_log) return;
  // A line a record would be a write a record.
  if (records.empty()) loop->post([this] { log.record(std::exchange(records, {})); });
  records += records.empty() ? text : "\n" + text;
}

void Daemon::Impl::reload() {
  ::sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%lld",
               static_cast<long long>(std::chrono::duration_cast<std::chrono::microseconds>(
                                          std::chrono::steady_clock::now().time_since_epoch())
                                          .count()));
  log.info("SIGHUP: reading settings and specs again");
  if (!options.config.empty()) {
    const spec::ReadSettings read = spec::read_settings_file(options.config);
    for (const spec::Fault& fault : read.faults) log.error(fault.text());
    if (read.faults.empty()) {
      roster->set_retention(read.settings.retention);
      parts->probe_overhead = read.settings.probe_overhead;
      budget->set_host(read.settings.host_overhead);
    }
  }
  folders->reload();
  ::sd_notify(0, "READY=1");
}

void Daemon::Impl::stop_or_leave() {
  if (!state::has_fd_store()) return stop();
  if (stopping) return;
  stopping = true;
  ::sd_notify(0, "STOPPING=1");
  ring->drain();  // for those who follow; what comes later is the next daemon's
  loop->post([this] {
    auto left = leave();
    if (left) return loop->stop(0);
    log.warning(left.error().text());
    detach_all();
  });
}

// From here on records stay in the ring.
Status Daemon::Impl::leave() {
  Outgoing outgoing;
  const Handover handover = roster->leave(outgoing);
  log.info(fmt::format("stopping: leaving {} probes to the next daemon", handover.probes.size()));
  return state::leave(text_of(handover), outgoing.descriptors(), limits::handover_patience);
}

void Daemon::Impl::stop() {
  if (stopping) return;
  stopping = true;
  ::sd_notify(0, "STOPPING=1");
  detach_all();
}

void Daemon::Impl::detach_all() {
  log.info("stopping: probes to take away: " + std::to_string(roster->all().size()));
  // The kernel drops what is left when we exit: do not wait for it longer than promised.
  agenda->after(limits::shutdown - 1s, [this] {
    server.reset();  // unlinks the socket
    log.warning("stopping: the kernel still detaches; it goes on alone");
    ::_exit(0);
  });
  auto left = std::make_shared<std::size_t>(1);
  const auto gone = [this, left] {
    if (--*left == 0) loop->stop(0);
  };
  for (const auto& probe : roster->all()) {
    if (probe->ended()) continue;
    ++*left;
    probe->end(State::disabled, "", gone);
  }
  loop->post(gone);
}

int Daemon::run() {
  ::sd_notify(0, "READY=1");
  if (impl_->http) impl_->log.info("serving http://" + impl_->http->address() + "/metrics");
  impl_->log.info("listening on " + impl_->options.settings.socket);
  return impl_->loop->run();
}

void Daemon::block_signals() {
  sigset_t blocked;
  ::sigemptyset(&blocked);
  for (const int number : {SIGTERM, SIGINT, SIGHUP, SIGIO, attach::lease_signal()}) ::sigaddset(&blocked, number);
  ::pthread_sigmask(SIG_BLOCK, &blocked, nullptr);
  ::signal(SIGPIPE, SIG_IGN);
}

}  // namespace diagnose::app
