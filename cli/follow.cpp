#include <chrono>
#include <optional>
#include <string>
#include <utility>

#include "cli/fields.h"
#include "cli/render.h"
#include "cli/terminal.h"
#include "cli/verbs.h"

namespace diagnose::cli {

using nlohmann::json;
using Clock = std::chrono::steady_clock;

namespace {

constexpr auto period = std::chrono::seconds(1);

bool has_ended(const std::string& state) {
  return state == "expired" || state == "tripped" || state == "failed" || state == "quarantined" || state == "disabled";
}

// What a probe brings, on its way to stdout.
class Follower {
 public:
  Follower(Client& client, std::string id, const Settings& settings)
      : client_(client), id_(std::move(id)), settings_(settings), style_(style_of_stdout()), screen_(style_) {}

  Exit run() {
    client_.on_notification([this](const json& event) { record(event); });
    for (auto next = Clock::now() + period; !client_.interrupted(); next += period) {
      if (const auto heard = client_.listen(next); !heard) return gone(heard.error());
      if (client_.interrupted()) break;
      if (Clock::now() > next + period) next = Clock::now();  // after a stop of ours: no turns to catch up with
      const auto read = client_.call("read", {{"id", id_}});
      if (!read) return over(read.error());
      show(*read);
      const auto status = client_.call("status", {{"id", id_}});
      if (!status) return over(status.error());
      if (const std::string state = text_of(*status, "state"); has_ended(state)) return ended(state, *status);
    }
    return detach();
  }

 private:
  void record(const json& event) {
    if (settings_.json) return print_json(event);
    screen_.clear();
    print(event_text(event, style_));
  }

  void show(const json& reading) {
    last_ = reading;
    if (list_of(reading, "families").empty()) return;  // only records: they have been printed
    if (settings_.json) return print_json(reading);
    screen_.paint(reading_text(reading, style_));
  }

  void show_final() {
    if (const auto read = client_.call("read", {{"id", id_}})) last_ = *read;  // else the last second's will do
    if (!last_) return;
    if (settings_.json) {
      if (!list_of(*last_, "families").empty()) print_json(*last_);
      return;
    }
    screen_.clear();
    print(reading_text(*last_, style_));
  }

  Exit detach() {
    const auto before = client_.call("read", {{"id", id_}});
    if (before) last_ = *before;
    const auto detached = client_.call("detach", {{"ids", {id_}}});
    show_final();
    // An end of its own may have been quicker than ours: what matters is that it is gone.
    if (!detached && detached.error().exit != Exit::refused) return tell(detached.error(), settings_);
    return Exit::done;
  }

  // The probe came to its end by itself.
  Exit ended(const std::string& state, const json& status) {
    show_final();
    if (state == "expired") {
      if (!settings_.json) print("expired\n");
      return Exit::done;
    }
    Failure failure;
    for (const json& error : list_of(status, "errors")) {
      failure.errors.push_back(Error{.what = text_of(error, "what"),
                                     .where = text_of(error, "where"),
                                     .why = text_of(error, "why"),
                                     .mend = text_of(error, "mend")});
    }
    if (failure.errors.empty()) {
      failure.errors.push_back(
          Error{.what = "follow `" + id_ + "`", .where = {}, .why = "the probe is " + state, .mend = {}});
    }
    return tell(failure, settings_);
  }

  // The daemon no longer knows the probe: it was detached by somebody else, or its series have gone.
  Exit over(const Failure& failure) {
    if (failure.exit != Exit::refused) return gone(failure);
    screen_.clear();
    if (last_ && !settings_.json) print(reading_text(*last_, style_));
    return tell(failure, settings_);
  }

  Exit gone(const Failure& failure) {
    screen_.clear();
    return tell(failure, settings_);
  }

  Client& client_;
  std::string id_;
  const Settings& settings_;
  Style style_;
  Screen screen_;
  std::optional<json> last_;
};

}  // namespace

Exit follow(Client& client, const std::string& id, const Settings& settings) {
  return Follower(client, id, settings).run();
}

}  // namespace diagnose::cli
