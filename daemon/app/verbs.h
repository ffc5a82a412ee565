// What diagnosectl can ask for (spec language §6): control::Service over the roster.  Loop thread only.
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "app/followers.h"
#include "app/parts.h"
#include "app/roster.h"
#include "control/server.h"

namespace diagnose::app {

class Verbs : public control::Service {
 public:
  Verbs(Parts& parts, Roster& roster, Followers& followers, std::string version)
      : parts_(parts), roster_(roster), followers_(followers), version_(std::move(version)) {}

  bool call(const std::string& method, const nlohmann::json& params, control::Connection& from,
            control::Reply reply) override;
  void gone(control::Connection& connection) override;

 private:
  using Verb = void (Verbs::*)(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void attach(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void apply(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void detach(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void list(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void status(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void renew(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void events(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void read(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void explain(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  [[nodiscard]] nlohmann::json explain_files(const nlohmann::json& params);
  void functions(const nlohmann::json& params, control::Connection& from, control::Reply reply);
  void version(const nlohmann::json& params, control::Connection& from, control::Reply reply);

  [[nodiscard]] Result<std::shared_ptr<Probe>> named(const nlohmann::json& params) const;
  [[nodiscard]] Error unknown(const std::string& id) const;

  Parts& parts_;
  Roster& roster_;
  Followers& followers_;
  std::string version_;
  std::map<std::uint64_t, std::vector<std::weak_ptr<Probe>>>
      bound_;  // probes that end with their client, by connection
};

}  // namespace diagnose::app
