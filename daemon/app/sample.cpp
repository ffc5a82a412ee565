#include "app/sample.h"

#include <algorithm>
#include <utility>

#include "app/own_series.h"
#include "app/probe.h"

namespace diagnose::app {
namespace {

using nlohmann::json;
using namespace std::chrono_literals;

spec::Probe counter_of(const spec::Probe& spec, std::chrono::milliseconds time) {
  constexpr std::string_view suffix = "-sample";
  spec::Probe counter;
  counter.id = spec.id.substr(0, limits::id_chars - suffix.size()).append(suffix);
  counter.target = spec.target;
  counter.limits.overhead = spec.limits.overhead;
  counter.lifespan.time = time + 5s;  // should the loop be late
  counter.lastmodified = lifespan::Clock::now();
  counter.place = spec.place;
  spec::Instrument count;
  count.name.text = "explain_sample";
  count.help = "Calls seen by a sampling explain.";
  counter.instruments.push_back(std::move(count));
  counter.written = json::object();
  return counter;
}

std::uint64_t hits_of(const Probe& probe) {
  return tally(probe.ledger()).hits;
}

}  // namespace

void sample(Parts& parts, Roster& roster, const spec::Probe& spec, std::chrono::milliseconds time, double price_ns,
            std::function<void(Result<json>)> answer) {
  auto added = roster.add(counter_of(spec, time), "explain", false);
  if (!added) return answer(failure(added.error()));
  const std::shared_ptr<Probe> probe = *added;
  if (probe->state() == State::failed) {
    const Error why = probe->errors().empty() ? Error{.what = "sample", .where = {}, .why = "it failed", .mend = {}}
                                              : probe->errors().front();
    roster.detach({probe}, [] {});
    return answer(failure(why));
  }
  const auto begin = BootClock::now();
  parts.agenda.after(time, [&roster, probe, begin, price_ns, answer = std::move(answer)] {
    const double seconds = std::chrono::duration<double>(BootClock::now() - begin).count();
    const std::uint64_t hits = hits_of(*probe);
    const double rate = static_cast<double>(hits) / std::max(seconds, 1e-3);
    json taken = {{"seconds", seconds}, {"hits", hits}, {"rate", rate}, {"overhead", rate * price_ns * 1e-9}};
    // Its figures are of a shorter time then: the rate is at least that.
    if (probe->ended() && !probe->errors().empty()) taken["why"] = probe->errors().back().why;
    roster.detach({probe}, [taken = std::move(taken), answer] { answer(taken); });
  });
}

}  // namespace diagnose::app
