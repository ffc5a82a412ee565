#include "app/shapes.h"

#include <algorithm>
#include <cmath>
#include <fmt/format.h>
#include <map>
#include <set>
#include <utility>

#include "app/own_series.h"
#include "control/protocol.h"

namespace diagnose::app {
namespace {

using nlohmann::json;

json site_shape(const std::string& function, const std::string& module, const std::string& build_id,
                const target::Site& site, const attach::Prices& prices) {
  return {{"function", function},
          {"module", module},
          {"build_id", build_id},
          {"address", fmt::format("{:#x}", raw(site.address))},
          {"offset", fmt::format("{:#x}", raw(site.offset))},
          {"kind", target::text(site.kind)},
          {"instruction", site.instruction},
          {"cost", target::text(site.cost)},
          {"price_ns", std::round(prices.of(site.cost))}};
}

// Whether the function's exits carry breakpoints now.
bool exits_probed(const Probe& probe, const Grip& grip, std::size_t function) {
  if (function >= grip.returns.size()) return false;
  const attach::Return& how = grip.returns[function];
  return how.strategy == attach::Strategy::sites ||
         (how.strategy == attach::Strategy::callers && (!probe.handed_over() || grip.covered.contains(how.number)));
}

// A file's sites once, however many processes carry them.
json sites_shape(const Probe& probe, const attach::Prices& prices) {
  json sites = json::array();
  std::set<std::pair<dev_t, ino_t>> seen;
  for (const Grip& grip : probe.grips()) {
    if (!seen.insert({grip.attachment.device, grip.attachment.inode}).second) continue;
    for (std::size_t at = 0; at < grip.module.functions.size(); ++at) {
      const target::Function& function = grip.module.functions[at];
      for (const target::Site& site : function.sites) {
        const bool used = !target::is_exit(site.kind) || exits_probed(probe, grip, at);
        if (used) sites.push_back(site_shape(function.name, grip.module.path, grip.module.build_id, site, prices));
      }
    }
  }
  for (const Callers::Shown& caller : probe.callers().shown()) {
    sites.push_back(site_shape(caller.in, caller.path, "", caller.site, prices));
  }
  return sites;
}

// The strategy of most functions, and its reason.
json return_shape(const Probe& probe) {
  if (!probe.wants_return()) return {{"strategy", "none"}, {"why", "no instrument wants the return"}};
  std::map<attach::Strategy, std::pair<std::size_t, std::string>> chosen;
  for (const Grip& grip : probe.grips()) {
    for (const attach::Return& how : grip.returns) {
      auto& [count, why] = chosen[how.strategy];
      ++count;
      if (why.empty()) why = how.why;
    }
  }
  const auto most = std::max_element(chosen.begin(), chosen.end(),
                                     [](const auto& a, const auto& b) { return a.second.first < b.second.first; });
  if (most == chosen.end()) return {{"strategy", "none"}, {"why", "nothing is attached yet"}};
  json shape = {{"strategy", attach::text(most->first)}, {"why", most->second.second}};
  if (chosen.size() > 1) {
    for (const auto& [strategy, counted] : chosen) shape["functions"][attach::text(strategy)] = counted.first;
  }
  if (!chosen.contains(attach::Strategy::callers)) return shape;
  const Callers::Tally tally = probe.callers().tally();
  shape["callers"] = {{"known", tally.known}, {"learnt", tally.learnt}};
  shape["exits"] = !probe.handed_over()                 ? "probed while callers are learnt"
                   : probe.callers().by_exits().empty() ? "not probed"
                                                        : "probed where callers do not suffice";
  return shape;
}

json processes_shape(const Probe& probe) {
  json pids = json::array();
  for (const target::Process& process : probe.processes()) pids.push_back(process.pid);
  return pids;
}

json expires_shape(const Probe& probe) {
  const auto expires = probe.expires();
  return expires ? json(lifespan::rfc3339(*expires)) : json(nullptr);
}

json remaining_shape(const Probe& probe) {
  const auto expires = probe.expires();
  if (!expires) return nullptr;
  if (probe.ended()) return 0;
  const auto left = std::chrono::duration_cast<std::chrono::milliseconds>(*expires - lifespan::Clock::now());
  return std::max(0.0, static_cast<double>(left.count()) / 1000);
}

json errors_shape(const std::vector<Error>& errors) {
  json shape = json::array();
  for (const Error& error : errors) shape.push_back(control::to_json(error));
  return shape;
}

const char* kind_text(metrics::Kind kind) {
  switch (kind) {
    case metrics::Kind::counter:
      return "counter";
    case metrics::Kind::gauge:
      return "gauge";
    case metrics::Kind::histogram:
      return "histogram";
  }
  return "counter";
}

json series_shape(const metrics::Family& family, const metrics::Series& series) {
  json labels = json::object();
  for (const auto& [name, value] : series.labels) labels[name] = value;
  if (family.kind != metrics::Kind::histogram) return {{"labels", labels}, {"value", series.value}};
  json buckets = json::array();
  for (const auto& [upper, count] : series.histogram.buckets) {
    buckets.push_back({std::isinf(upper) ? json("+Inf") : json(upper), count});
  }
  return {{"labels", labels},
          {"sum", series.histogram.sum},
          {"count", series.histogram.count},
          {"buckets", std::move(buckets)}};
}

}  // namespace

json attach_shape(const Probe& probe, const attach::Prices& prices) {
  return {{"id", probe.id()},
          {"state", text(probe.state())},
          {"target", probe.spec().target.text()},
          {"processes", processes_shape(probe)},
          {"sites", sites_shape(probe, prices)},
          {"return", return_shape(probe)},
          {"price_ns", std::round(probe.price_ns())},
          {"expires", expires_shape(probe)},
          {"note", probe.notes()}};
}

json list_shape(const Probe& probe) {
  const Tally now = tally(probe.ledger());
  return {{"id", probe.id()},
          {"state", text(probe.state())},
          {"target", probe.spec().target.text()},
          {"hits", now.hits},
          {"lost", now.lost_in_all()},
          {"overhead_seconds", probe.overhead_seconds()},
          {"remaining_seconds", remaining_shape(probe)}};
}

json status_shape(const Probe& probe, const attach::Prices& prices) {
  const Tally now = tally(probe.ledger());
  json applied = json::object();
  for (const auto& [process, error] : probe.applied()) {
    applied[process] = {{"lm", lifespan::rfc3339(probe.spec().lastmodified)},
                        {"err", error.empty() ? json(nullptr) : json(error)}};
  }
  json shape = attach_shape(probe, prices);
  shape["spec"] = probe.spec().written;
  shape["origin"] = probe.origin();
  shape["hits"] = now.hits;
  shape["lost"] = now.lost;
  shape["truncated"] = now.truncated;
  shape["errors"] = errors_shape(probe.errors());
  shape["applied"] = std::move(applied);
  shape["overhead_seconds"] = probe.overhead_seconds();
  shape["budget"] = probe.budget();
  shape["remaining_seconds"] = remaining_shape(probe);
  return shape;
}

json applied_shape(const Applied& applied) {
  json failed = json::array();
  for (const auto& [id, errors] : applied.failed) failed.push_back({{"id", id}, {"errors", errors_shape(errors)}});
  return {{"added", applied.added},
          {"updated", applied.updated},
          {"removed", applied.removed},
          {"unchanged", applied.unchanged},
          {"failed", std::move(failed)}};
}

json reading_shape(const std::vector<metrics::Family>& families, const Probe& probe) {
  const Tally now = tally(probe.ledger());
  json shapes = json::array();
  for (const metrics::Family& family : families) {
    json series = json::array();
    for (const metrics::Series& one : family.series) series.push_back(series_shape(family, one));
    shapes.push_back({{"name", family.name},
                      {"help", family.help},
                      {"unit", family.unit},
                      {"kind", kind_text(family.kind)},
                      {"series", std::move(series)}});
  }
  return {{"families", std::move(shapes)},
          {"hits", now.hits},
          {"lost", now.lost},
          {"truncated", now.truncated},
          {"state", text(probe.state())}};
}

}  // namespace diagnose::app
