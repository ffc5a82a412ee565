#include "app/verbs.h"

#include <algorithm>
#include <utility>

#include "app/explain.h"
#include "app/functions.h"
#include "app/sample.h"
#include "app/shapes.h"
#include "app/written.h"
#include "attach/kernel.h"
#include "spec/read.h"

namespace diagnose::app {
namespace {

using nlohmann::json;

Error bad_parameters(const std::string& method, const std::string& why) {
  return {.what = method, .where = "", .why = why, .mend = "use diagnosectl of the daemon's own version"};
}

// A string parameter; empty if it is not there or no string.
std::string string_of(const json& params, const char* key) {
  const auto found = params.find(key);
  return found != params.end() && found->is_string() ? found->get<std::string>() : "";
}

// A list of strings; empty if it is not there.
Result<std::vector<std::string>> strings_of(const json& params, const char* key) {
  std::vector<std::string> strings;
  const auto found = params.find(key);
  if (found == params.end()) return strings;
  const bool is_list =
      found->is_array() && std::all_of(found->begin(), found->end(), [](const json& one) { return one.is_string(); });
  if (!is_list) return failure(bad_parameters(key, "it must be a list of texts"));
  for (const json& one : *found) strings.push_back(one.get<std::string>());
  return strings;
}

bool is_true(const json& params, const char* key) {
  const auto found = params.find(key);
  return found != params.end() && found->is_boolean() && found->get<bool>();
}

std::vector<Error> errors_of(const std::vector<spec::Fault>& faults) {
  std::vector<Error> errors;
  for (const spec::Fault& fault : faults) errors.push_back(fault.error());
  return errors;
}

// The one probe that a client wrote in the place of a spec file.
struct Wanted {
  spec::Probe probe;
  std::string text;  // JSON, as it was read
};
tl::expected<Wanted, control::Refusal> wanted_probe(const std::string& method, const json& params) {
  const std::string id = string_of(params, "id");
  const auto written = params.find("spec");
  if (id.empty() || written == params.end() || !written->is_object()) {
    return tl::unexpected<control::Refusal>(bad_parameters(method, "`id` and `spec` are needed"));
  }
  Wanted wanted;
  wanted.text = json{{"probes", {{id, *written}}}}.dump();
  spec::Document document = spec::read(wanted.text, origin_attach, lifespan::Clock::now());
  if (!document.faults.empty()) {
    return tl::unexpected(refusal(errors_of(document.faults), wanted.text, origin_attach));
  }
  if (document.probes.empty()) {
    return tl::unexpected<control::Refusal>(bad_parameters(method, "the spec holds no probe"));
  }
  wanted.probe = std::move(document.probes.front());
  return wanted;
}

control::Refusal why_failed(const std::string& method, const Probe& probe, const std::string& text) {
  const std::vector<Error> none{bad_parameters(method, "it failed")};
  return refusal(probe.errors().empty() ? none : probe.errors(), text, origin_attach);
}

}  // namespace

bool Verbs::call(const std::string& method, const json& params, control::Connection& from, control::Reply reply) {
  static const std::map<std::string, Verb> verbs = {
      {"attach", &Verbs::attach},   {"apply", &Verbs::apply},    {"detach", &Verbs::detach},
      {"list", &Verbs::list},       {"status", &Verbs::status},  {"renew", &Verbs::renew},
      {"events", &Verbs::events},   {"read", &Verbs::read},      {"functions", &Verbs::functions},
      {"explain", &Verbs::explain}, {"version", &Verbs::version}};
  const auto verb = verbs.find(method);
  if (verb == verbs.end()) return false;
  (this->*verb->second)(params, from, std::move(reply));
  return true;
}

void Verbs::gone(control::Connection& connection) {
  followers_.gone(connection);
  const auto bound = bound_.find(connection.number());
  if (bound == bound_.end()) return;
  std::vector<std::shared_ptr<Probe>> probes;
  for (const auto& weak : bound->second) {
    const auto probe = weak.lock();
    if (probe && roster_.find(probe->id()) == probe) probes.push_back(probe);
  }
  bound_.erase(bound);
  roster_.detach(probes, [] {});
}

Error Verbs::unknown(const std::string& id) const {
  std::vector<std::string> ids;
  for (const auto& probe : roster_.all()) ids.push_back(probe->id());
  const std::string near = spec::nearest(id, ids);
  return {.what = "find the probe `" + id + "`",
          .where = "",
          .why = "there is none of that id",
          .mend = near.empty() ? "see `diagnosectl list`" : "did you mean `" + near + "`?"};
}

Result<std::shared_ptr<Probe>> Verbs::named(const json& params) const {
  const std::string id = string_of(params, "id");
  auto probe = roster_.find(id);
  if (!probe) return failure(unknown(id));
  return probe;
}

void Verbs::attach(const json& params, control::Connection& from, control::Reply reply) {
  auto wanted = wanted_probe("attach", params);
  if (!wanted) {
    reply(tl::unexpected(std::move(wanted.error())));
    return;
  }
  const bool follow = is_true(params, "follow");
  auto added = roster_.add(wanted->probe, origin_attach, !follow);
  if (!added) {
    reply(tl::unexpected(added.error()));
    return;
  }
  const std::shared_ptr<Probe> probe = *added;
  if (probe->state() == State::failed) {
    auto why = why_failed("attach", *probe, wanted->text);
    roster_.detach({probe}, [] {});
    reply(tl::unexpected(std::move(why)));
    return;
  }
  if (follow) {
    bound_[from.number()].push_back(probe);
    followers_.follow(from, {wanted->probe.id});
  }
  reply(attach_shape(*probe, parts_.prices));
}

void Verbs::explain(const json& params, control::Connection& /*from*/, control::Reply reply) {
  if (params.contains("files")) {
    reply(explain_files(params));
    return;
  }
  auto wanted = wanted_probe("explain", params);
  if (!wanted) {
    reply(tl::unexpected(std::move(wanted.error())));
    return;
  }
  const auto probe = std::make_shared<Probe>(wanted->probe, origin_attach, 0, parts_);
  probe->rehearse();
  if (probe->state() == State::failed) {
    reply(tl::unexpected(why_failed("explain", *probe, wanted->text)));
    return;
  }
  json shape = explain_shape(*probe, parts_, is_true(params, "bpf"));
  const std::string sampled = string_of(params, "sample");
  if (sampled.empty()) {
    reply(std::move(shape));
    return;
  }
  const auto time = lifespan::parse(sampled);
  if (!time || !time->time || time->hits || *time->time > limits::sample_longest) {
    reply(failure(
        {.what = "sample `" + sampled + "`",
         .where = "",
         .why = "is no time of at most " + std::to_string(std::chrono::seconds(limits::sample_longest).count()) + " s",
         .mend = "write `1s` or `10s`"}));
    return;
  }
  sample(parts_, roster_, wanted->probe, *time->time, probe->price_ns(),
         [reply = std::move(reply), shape = std::move(shape)](Result<json> taken) mutable {
           if (taken) shape["sample"] = std::move(*taken);
           reply(taken ? control::Answer(std::move(shape)) : control::Answer(tl::unexpected(taken.error())));
         });
}

// Every probe of spec files: what each would do, or why it would not.
json Verbs::explain_files(const json& params) {
  json probes = json::array();
  Applied failed;
  for (const json& file : params.at("files")) {
    if (!file.is_object()) continue;
    const spec::Document document =
        spec::read(string_of(file, "text"), string_of(file, "name"), lifespan::Clock::now());
    for (const spec::Fault& fault : document.faults) failed.failed[fault.probe].push_back(fault.error());
    for (const spec::Probe& spec : document.probes) {
      const auto probe = std::make_shared<Probe>(spec, string_of(file, "name"), 0, parts_);
      probe->rehearse();
      if (probe->state() == State::failed) {
        failed.failed[spec.id] = probe->errors();
      } else {
        probes.push_back(explain_shape(*probe, parts_, is_true(params, "bpf")));
      }
    }
  }
  return {{"probes", std::move(probes)}, {"failed", applied_shape(failed).at("failed")}};
}

void Verbs::apply(const json& params, control::Connection& /*from*/, control::Reply reply) {
  const auto files = params.find("files");
  if (files == params.end() || !files->is_array()) {
    reply(failure(bad_parameters("apply", "`files` is needed")));
    return;
  }
  Applied all;
  for (const json& file : *files) {
    if (!file.is_object()) continue;
    const std::string name = string_of(file, "name");
    if (!name.starts_with("/") || roster_.is_watched(name)) {
      all.failed[""].push_back(
          {.what = "apply",
           .where = name,
           .why = name.starts_with("/") ? "the daemon watches this file itself" : "no absolute path",
           .mend = name.starts_with("/") ? "edit it: the daemon notices" : ""});
      continue;
    }
    const auto stamped = lifespan::parse_rfc3339(string_of(file, "lastmodified"));
    const spec::Document document = spec::read(string_of(file, "text"), name, stamped.value_or(lifespan::Clock::now()));
    Applied one = roster_.apply(document, name, false);
    const auto join = [](auto& to, auto& from_one) { to.insert(to.end(), from_one.begin(), from_one.end()); };
    join(all.added, one.added);
    join(all.updated, one.updated);
    join(all.removed, one.removed);
    join(all.unchanged, one.unchanged);
    for (auto& [id, errors] : one.failed) join(all.failed[id], errors);
  }
  reply(applied_shape(all));
}

void Verbs::detach(const json& params, control::Connection& /*from*/, control::Reply reply) {
  std::vector<std::shared_ptr<Probe>> probes;
  json ids = json::array();
  if (is_true(params, "all")) {
    probes = roster_.all();
  } else {
    const auto named_ids = strings_of(params, "ids");
    if (!named_ids || named_ids->empty()) {
      reply(failure(named_ids ? bad_parameters("detach", "`ids` or `all` is needed") : named_ids.error()));
      return;
    }
    for (const std::string& id : *named_ids) {
      auto probe = roster_.find(id);
      if (!probe) {
        reply(failure(unknown(id)));
        return;
      }
      probes.push_back(std::move(probe));
    }
  }
  for (const auto& probe : probes) ids.push_back(probe->id());
  roster_.detach(probes, [reply = std::move(reply), ids = std::move(ids)] { reply(json{{"ids", ids}}); });
}

void Verbs::list(const json& /*params*/, control::Connection& /*from*/, control::Reply reply) {
  json probes = json::array();
  for (const auto& probe : roster_.all()) probes.push_back(list_shape(*probe));
  reply(json{{"probes", std::move(probes)}});
}

void Verbs::status(const json& params, control::Connection& /*from*/, control::Reply reply) {
  if (!params.contains("id")) {
    json probes = json::array();
    for (const auto& probe : roster_.all()) probes.push_back(status_shape(*probe, parts_.prices));
    reply(json{{"probes", std::move(probes)}});
    return;
  }
  reply(named(params).map([&](const auto& probe) { return status_shape(*probe, parts_.prices); }));
}

void Verbs::renew(const json& params, control::Connection& /*from*/, control::Reply reply) {
  const auto probe = named(params);
  if (!probe) {
    reply(tl::unexpected(probe.error()));
    return;
  }
  lifespan::Lifespan lifespan = (*probe)->spec().lifespan;
  if (params.contains("lifespan")) {
    const auto parsed = lifespan::parse(string_of(params, "lifespan"));
    if (!parsed) {
      reply(tl::unexpected(parsed.error()));
      return;
    }
    lifespan = *parsed;
  }
  roster_.renew(**probe, lifespan);
  if ((*probe)->state() == State::failed && !(*probe)->errors().empty()) {
    reply(failure((*probe)->errors().front()));
    return;
  }
  const auto expires = (*probe)->expires();
  reply(json{{"ids", {(*probe)->id()}}, {"expires", expires ? json(lifespan::rfc3339(*expires)) : json(nullptr)}});
}

void Verbs::events(const json& params, control::Connection& from, control::Reply reply) {
  const auto ids = strings_of(params, "ids");
  if (!ids) {
    reply(tl::unexpected(ids.error()));
    return;
  }
  for (const std::string& id : *ids) {
    if (!roster_.find(id)) {
      reply(failure(unknown(id)));
      return;
    }
  }
  followers_.follow(from, {ids->begin(), ids->end()});
  reply(json{{"following", *ids}});
}

void Verbs::read(const json& params, control::Connection& /*from*/, control::Reply reply) {
  reply(named(params).map([&](const auto& probe) {
    parts_.drain();
    return reading_shape(parts_.registry.collect(probe->id()), *probe);
  }));
}

void Verbs::functions(const json& params, control::Connection& /*from*/, control::Reply reply) {
  const auto target = params.find("target");
  if (target == params.end()) {
    reply(failure(bad_parameters("functions", "`target` is needed")));
    return;
  }
  // There is one reader of targets, and it reads them in specs.
  const json probe = {{"target", *target}, {"instrument", {{"type", "counter"}, {"name", "none"}}}};
  const std::string text = json{{"probes", {{"functions", probe}}}}.dump();
  const spec::Document document = spec::read(text, "functions", lifespan::Clock::now());
  if (document.probes.empty()) {
    reply(tl::unexpected(refusal(errors_of(document.faults), text, "functions")));
    return;
  }
  const spec::Target& wanted = document.probes.front().target;
  reply(is_true(params, "names") ? names_of(parts_.proc, parts_.reader, wanted)
                                 : functions_of(parts_.proc, parts_.reader, wanted));
}

void Verbs::version(const json& /*params*/, control::Connection& /*from*/, control::Reply reply) {
  reply(json{{"version", version_}, {"kernel", attach::kernel_release()}, {"protocol", 1}});
}

}  // namespace diagnose::app
