#include "app/probe.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <sys/stat.h>
#include <unistd.h>
#include <utility>

#include "app/own_series.h"
#include "attach/installed.h"
#include "event/layout.h"

namespace diagnose::app {
namespace {

constexpr std::size_t errors_kept = 16;
constexpr std::size_t notes_kept = 16;

}  // namespace

const char* text(State state) {
  switch (state) {
    case State::pending:
      return "pending";
    case State::armed:
      return "armed";
    case State::partial:
      return "partial";
    case State::failed:
      return "failed";
    case State::quarantined:
      return "quarantined";
    case State::tripped:
      return "tripped";
    case State::expired:
      return "expired";
    case State::disabled:
      return "disabled";
  }
  return "failed";
}

Probe::Probe(spec::Probe spec, std::string origin, std::uint32_t number, Parts& parts)
    : spec_(std::move(spec)),
      origin_(std::move(origin)),
      custom_text_(spec_.custom.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)),
      number_(number),
      parts_(parts),
      callers_(parts) {}

// One that has ended may outlive the daemon's parts, in a job that is never run: it touches none of them.
Probe::~Probe() {
  if (end_ticket_ != 0) parts_.agenda.cancel(end_ticket_);
  for (const Agenda::Ticket ticket : {retry_ticket_, settle_ticket_, hand_over_ticket_}) {
    if (ticket != 0) parts_.agenda.cancel(ticket);
  }
  if (!grips_.empty()) let_go(std::move(grips_), {}, runtime_links());
}

std::string Probe::series_key() const {
  return spec_.id + "#" + std::to_string(number_) + "." + std::to_string(lives_);
}

// ---- arming ----

void Probe::arm() {
  const state::Mark dangerous = mark();
  errors_.clear();
  notes_.clear();
  applied_.clear();
  awaited_.clear();
  last_ledger_.clear();
  loaded_ = nullptr;
  enabled_ = false;
  armed_ = false;
  taken_over_ = false;
  ++lives_;
  spending_.restart(BootClock::now());
  state_ = State::pending;
  const auto expiry = expires();
  if (!spec_.enabled) {
    state_ = State::disabled;
  } else if (expiry && *expiry <= lifespan::Clock::now()) {
    if (!check() || !take_over_ended("its lifespan ended while the daemon was started again")) {
      state_ = State::expired;
      notes_.push_back("its lifespan is over: " + lifespan::rfc3339(*expiry));
    }
  } else if (!check()) {
    end(State::failed, "");
  } else {
    attach_now();
  }
  drop_bequest("");
  publish();
}

void Probe::rehearse() {
  rehearsal_ = true;
  if (!check()) {
    end(State::failed, "");
  } else {
    attach_now();
  }
}

Status Probe::load(compile::Returns returns) {
  returns_ = returns;
  forms_ = *compiled_;
  plan_ = compile::plan(spec_, forms_.all, parts_.stencils, returns);
  taken_over_ = !rehearsal_ && take_over_programs();
  if (!taken_over_) {
    auto loaded = attach::LoadedProbe::load(parts_.kernel, plan_, parts_.stencils, number_, spec_.id);
    if (!loaded) return tl::unexpected(loaded.error());
    loaded_ = std::move(*loaded);
  }
  callers_.begin(loaded_, needs_result(), forms_.all.reads_memory_at_end, rehearsal_);
  handed_over_ = false;
  if (rehearsal_) return {};
  if (taken_over_) {
    take_over_rest();
  } else if (auto status = watch_threads(); !status) {
    return status;
  }
  if (auto status = add_series(); !status) return status;
  take_over_foldings();
  return {};
}

Status Probe::add_series() {
  parts_.registry.drop(spec_.id);  // those of an earlier probe of this name, kept for their retention
  foldings_.clear();
  for (std::size_t index = 0; index < spec_.instruments.size(); ++index) {
    const spec::Instrument& instrument = spec_.instruments[index];
    foldings_.push_back(nullptr);
    if (instrument.type == spec::InstrumentType::log) continue;
    const metrics::Shape shape = shape_of(spec_, instrument, forms_.all.instruments[index]);
    metrics::Registry::Read read;
    if (forms_.all.instruments[index].fold) {
      read = [loaded = std::shared_ptr<const attach::LoadedProbe>(loaded_), index]() -> Result<metrics::Reading> {
        return loaded->read(index).map([](attach::InstrumentWords words) { return reading_of(std::move(words)); });
      };
    } else {
      foldings_.back() = std::make_shared<metrics::Accumulator>(shape);
      read = [folding = foldings_.back()]() -> Result<metrics::Reading> { return folding->read(); };
    }
    if (auto status = parts_.registry.add(series_key(), shape, std::move(read)); !status) return status;
  }
  return {};
}

// ---- what others see ----

std::string Probe::process_key(const target::Process& process) const {
  return parts_.host + ":" + std::to_string(process.pid) + ":" + std::to_string(process.start_ticks);
}

std::vector<target::Process> Probe::processes() const {
  std::vector<target::Process> alive;
  for (const Grip& grip : grips_) {
    for (const target::Process& process : grip.processes) {
      const bool listed = std::find(alive.begin(), alive.end(), process) != alive.end();
      if (!listed && parts_.proc.alive(process)) alive.push_back(process);
    }
  }
  return alive;
}

// Read back from each process's memory: "attached" does not say that a breakpoint stands there.
std::map<pid_t, bool> Probe::installed() const {
  std::map<pid_t, bool> stands;
  for (const Grip& grip : grips_) {
    for (const target::Process& process : grip.processes) {
      const auto found =
          attach::standings(parts_.proc, process.pid, grip.module.device, grip.module.inode, grip.module.functions);
      if (!found) continue;  // it has gone
      // The exits of functions by other strategies are rightly absent.
      const bool here = found->installed > 0 && found->different == 0;
      const auto [known, added] = stands.emplace(process.pid, here);
      if (!added) known->second = known->second && here;
    }
  }
  return stands;
}

std::vector<std::uint64_t> Probe::ledger() const {
  if (!loaded_) return last_ledger_;
  return loaded_->ledger().value_or(last_ledger_);
}

// Processes of a grip on a whole file come and go unwatched: those that have gone are forgotten here.
void Probe::forget_dead() {
  for (Grip& grip : grips_) {
    std::erase_if(grip.processes, [&](const target::Process& process) {
      const bool dead = !parts_.proc.alive(process);
      if (dead) applied_.erase(process_key(process));
      if (dead && !grip.attachment.process) forget_runtime(process.pid);
      return dead;
    });
  }
  // A file that was replaced and that nobody runs any more: no process can come.
  std::vector<Grip> replaced;
  for (auto grip = grips_.begin(); grip != grips_.end();) {
    struct stat status {};
    const bool over = !grip->attachment.process && grip->processes.empty() &&
                      ::fstat(grip->attachment.file->get(), &status) == 0 && status.st_nlink == 0;
    if (!over) {
      ++grip;
      continue;
    }
    replaced.push_back(std::move(*grip));
    grip = grips_.erase(grip);
  }
  if (replaced.empty()) return;
  std::vector<Fd> callers;
  for (const Grip& grip : replaced) {
    auto links = callers_.file_gone(grip.module.device, grip.module.inode);
    std::move(links.begin(), links.end(), std::back_inserter(callers));
  }
  let_go(std::move(replaced), {}, std::move(callers));
}

void Probe::publish() {
  if (rehearsal_) return;
  forget_dead();
  ProbeView view;
  view.target = spec_.target.text();
  view.state = text(state_);
  view.loaded = loaded_;
  view.ledger = last_ledger_;
  count_cost();
  view.spending = spending_;
  view.expires = expires();
  view.installed = installed();
  view.errors = error_counts_;
  view.events_lost = slow_follower_;
  parts_.own.show(spec_.id, std::move(view));
  parts_.changed();
}

void Probe::add_note(const std::string& note) {
  if (notes_.size() < notes_kept && std::find(notes_.begin(), notes_.end(), note) == notes_.end())
    notes_.push_back(note);
}

void Probe::add_error(const Error& error) {
  ++error_counts_["attach"];
  if (errors_.size() < errors_kept && std::find(errors_.begin(), errors_.end(), error) == errors_.end()) {
    errors_.push_back(error);
  }
}

void Probe::fail(Error error) {
  add_error(error);
  end(State::failed, "");
}

void Probe::note_error(const target::Process& process, const Error& error) {
  applied_[process_key(process)] = error.text();
  add_error(error);
}

void Probe::settle_state() {
  if (ended()) return;
  if (grips_.empty()) {
    state_ = !errors_.empty() && !follows_processes() ? State::failed : State::pending;
  } else {
    state_ = errors_.empty() ? State::armed : State::partial;
  }
}

}  // namespace diagnose::app
