#include "compile/evaluation.h"

#include <algorithm>
#include <utility>

#include "base/limits.h"
#include "compile/check.h"
#include "compile/check_arithmetic.h"
#include "compile/check_names.h"
#include "compile/checker.h"
#include "compile/emit.h"
#include "compile/lower.h"
#include "compile/parse.h"
#include "compile/sleepable.h"

namespace diagnose::compile {
namespace {

constexpr TextLimits label_texts{32, limits::string_bytes};  // short by default: keys are hashed at each call
constexpr TextLimits compared_texts{limits::string_bytes, limits::string_bytes};
constexpr std::size_t nullable_fields = 64;  // bits of the word of nulls

spec::Place advanced(spec::Place place, std::size_t position) {
  if (place.column > 0) place.column += static_cast<int>(position);
  return place;
}

bool mentions(const Typed& value, Op op) {
  return value.op == op || std::any_of(value.children.begin(), value.children.end(),
                                       [&](const TypedPtr& child) { return mentions(*child, op); });
}

// The expressions of one instrument, checked.
struct Expressions {
  TypedPtr where, value;
  std::vector<TypedPtr> labels, fields;
};

class InstrumentCompiler {
 public:
  // `like`: the same instrument at other places; null if there are none.
  InstrumentCompiler(const spec::Probe& probe, const spec::Instrument& instrument, const Evaluation* like,
                     const Scope& scope, SavedValues& saved, std::vector<spec::Fault>& faults)
      : probe_(probe),
        instrument_(instrument),
        like_(like),
        scope_(scope),
        saved_(saved),
        faults_(faults),
        faults_before_(faults.size()) {}

  Evaluation run() {
    expressions();
    if (!failed()) value();
    if (!failed()) phase();
    if (!failed()) buckets();
    if (has_unknown_) return {};
    if (!failed()) layouts();
    if (!failed()) functions();
    return std::move(made_);
  }

 private:
  using InstrumentType = spec::InstrumentType;

  [[nodiscard]] bool failed() const { return faults_.size() > faults_before_; }
  void fail(spec::Place place, std::string what, std::string why, std::string mend) {
    faults_.push_back({std::move(place), std::move(what), std::move(why), std::move(mend)});
  }
  [[nodiscard]] bool is_log() const { return instrument_.type == InstrumentType::log; }

  TypedPtr expression(const spec::Text& text, TextLimits texts, Use use) {
    const auto tree = parse(text.text);
    if (!tree) {
      const Issue& issue = tree.error();
      fail(advanced(text.place, issue.position), issue.what, issue.why, issue.mend);
      return nullptr;
    }
    Checked checked = compile::check(**tree, texts, use, scope_);
    for (const Issue& issue : checked.issues) {
      fail(advanced(text.place, issue.position), issue.what, issue.why, issue.mend);
    }
    if (checked.result_at) {
      made_.uses_result = true;
      if (!result_place_) result_place_ = advanced(text.place, *checked.result_at);
    }
    if (checked.root && mentions(*checked.root, Op::result_word)) made_.uses_result_words = true;
    if (checked.root && checked.root->type.kind == TypeKind::unknown) has_unknown_ = true;
    if (checked.error_at) mentions_error_ = true;
    mention("result", checked.result_at, text);
    mention("elapsed", checked.elapsed_at, text);
    mention("error", checked.error_at, text);
    if (checked.depth_at) made_.uses_depth = true;
    mention("depth", checked.depth_at, text);
    if (checked.stack_at && !stack_place_) stack_place_ = advanced(text.place, *checked.stack_at);
    return std::move(checked.root);
  }

  // The first of the names that are known only at the end of a call.
  void mention(const char* name, std::optional<std::size_t> at, const spec::Text& text) {
    if (!at) return;
    if (!mentioned_) mentioned_ = {name, advanced(text.place, *at)};
  }

  void expressions() {
    if (instrument_.where) {
      made_of_.where = expression(*instrument_.where, compared_texts, Use::condition);
      condition(made_of_.where);
    }
    for (const spec::Label& label : instrument_.labels) {
      made_of_.labels.push_back(expression(label.expression, label_texts, Use::column));
    }
    if (instrument_.value) {
      made_of_.value = is_log() ? expression(*instrument_.value, field_texts(), Use::column)
                                : expression(*instrument_.value, compared_texts, Use::number);
    } else {
      default_value();
    }
    if (!is_log() || !instrument_.message) return;
    for (const spec::Text& field : instrument_.message->expressions) {
      made_of_.fields.push_back(expression(field, field_texts(), Use::column));
    }
  }

  void condition(TypedPtr& where) {
    if (!where || where->type.kind == TypeKind::unknown) return;
    if (where->type.kind == TypeKind::text) {
      return fail(instrument_.where->place, "where", "a text is no condition", "compare it: `comm == \"...\"`");
    }
    where = converted(std::move(where), boolean_type);
    if (where->op == Op::constant && where->value != 0) where = nullptr;
  }

  [[nodiscard]] TextLimits field_texts() const {
    const std::size_t bytes = std::clamp<std::size_t>(probe_.limits.string_bytes, 8, limits::string_bytes);
    const auto rounded = (static_cast<std::uint32_t>(bytes) + 7U) & ~7U;
    return {rounded, rounded};
  }

  void default_value() {
    switch (instrument_.type) {
      case InstrumentType::counter:
        made_of_.value = constant(1, long_type);
        break;
      case InstrumentType::histogram:
        made_of_.value = named_value("elapsed", 0);
        mention("elapsed", 0, {"elapsed", instrument_.place});
        break;
      case InstrumentType::gauge:
        if (instrument_.operation == spec::GaugeOperation::inc || instrument_.operation == spec::GaugeOperation::dec) {
          made_of_.value = constant(1, long_type);
        } else {
          fail(instrument_.place, "gauge", "has no value", "add `value:`, or `operation: inc`");
        }
        break;
      case InstrumentType::log:
        break;
    }
  }

  // A metric's value is 64 bits wide, signed unless it cannot be.
  void value() {
    TypedPtr& value = made_of_.value;
    if (!value || is_log() || value->type.kind == TypeKind::unknown) return;
    const spec::Place& place = instrument_.value ? instrument_.value->place : instrument_.place;
    if (value->type.kind == TypeKind::text) {
      return fail(place, "value", "a text is no number", "make it a label, or use `type: log`");
    }
    const bool decreases =
        instrument_.type == InstrumentType::gauge && instrument_.operation == spec::GaugeOperation::dec;
    const bool adds =
        decreases || (instrument_.type == InstrumentType::gauge && instrument_.operation == spec::GaugeOperation::inc);
    Type type = extends(value->type, long_type) && (value->type.bytes < 8 || value->type.is_signed)
                    ? long_type
                    : unsigned_long_type;
    if (adds) type = long_type;  // what is taken off may lead below zero
    if (!type.is_signed && like_ != nullptr && like_->value_is_signed) {
      type = long_type;
      refuse_negative_ = true;
    }
    type.is_time = value->type.is_time;
    value = converted(std::move(value), type);
    if (decreases) value = unary(Op::negate, type, std::move(value));
    if (instrument_.type == InstrumentType::counter && value->op == Op::constant && type.is_signed &&
        value->value < 0) {
      return fail(place, "value", "a counter never goes down", "use a gauge with `operation: dec`");
    }
    made_.unit_is_time = value->type.is_time;
    made_.value_is_signed = value->type.is_signed;
  }

  void phase() {
    made_.phase = wanted_phase();
    const bool at_call = made_.phase == Phase::call;
    if (!at_call && probe_.target.place_by != spec::PlaceBy::function) {
      return fail(mentioned_ ? mentioned_->second : instrument_.place,
                  mentioned_ ? std::string("`") + mentioned_->first + "`" : "event",
                  "only functions return, `" + probe_.target.place_text() + "` is a place that is passed",
                  instrument_.value || instrument_.type != InstrumentType::histogram
                      ? "leave it out, or give `function:`"
                      : "add `value:`, or give `function:`");
    }
    if (at_call && mentioned_) {
      const bool by_default = instrument_.type == InstrumentType::histogram && !instrument_.value;
      return fail(mentioned_->second, std::string("`") + mentioned_->first + "`",
                  by_default ? "a histogram without `value` shows it, and it is not known at the call"
                             : "not known at the call",
                  by_default        ? "add `value:`, or write `event: return`"
                  : mentions_error_ ? "write `event: end`"
                                    : "write `event: return`");
    }
    if (made_.phase == Phase::error && result_place_) {
      return fail(*result_place_, "`result`", "a call that was left by an error has none",
                  "write `event: return`, or leave it out");
    }
    if (!at_call && stack_place_) {
      return fail(*stack_place_, "`ustack`", "known at the call only", "write `event: call`, or use `caller`");
    }
    made_.needs_frame = !at_call;
    place(made_of_.where);
    place(made_of_.value);
    for (const TypedPtr& label : made_of_.labels) place(label);
    for (const TypedPtr& field : made_of_.fields) place(field);
    if (saved_.unkept_text()) {
      return fail(instrument_.place, "text", "lies in an argument itself, and is not kept for the end of the call",
                  "write `event: call`");
    }
    if (saved_.slots().size() > SAVED_MAX) {
      fail(
          instrument_.place, "instrument",
          "more than " + std::to_string(static_cast<int>(SAVED_MAX)) + " values of the call are to be kept for its end",
          "use fewer parameters, or split the probe");
    }
  }

  // The earliest at which everything is known, unless the user says.
  [[nodiscard]] Phase wanted_phase() const {
    if (!instrument_.event) {
      if (mentions_error_) return Phase::end;
      return mentioned_ ? Phase::return_ : Phase::call;
    }
    switch (*instrument_.event) {
      case spec::Event::call:
        break;
      case spec::Event::return_:
        return Phase::return_;
      case spec::Event::error:
        return Phase::error;
      case spec::Event::end:
        return Phase::end;
    }
    return Phase::call;
  }

  void place(const TypedPtr& value) {
    if (value) saved_.place(*value, made_.phase);
  }

  void buckets() {
    if (instrument_.type != InstrumentType::histogram || has_unknown_) return;
    const auto& written = instrument_.buckets;
    if (written && written->in_time != made_.unit_is_time) {
      return fail(written->place, "buckets",
                  made_.unit_is_time ? "the value is a time, the bounds are plain numbers"
                                     : "the bounds are times, the value is a plain number",
                  made_.unit_is_time ? "write their unit: `10us`" : "write plain numbers");
    }
    if (written && written->bounds.size() > limits::buckets) {
      return fail(written->place, "buckets", "more than " + std::to_string(limits::buckets), "use fewer");
    }
    Bounds bounds = bounds_of(written, made_.unit_is_time);
    made_.bounds = std::move(bounds.native);
    made_.shown_bounds = std::move(bounds.shown);
  }

  // Puts `value` into the next column of `layout`, as signed as it is in the column `like` of other places.
  std::optional<Write> append(event::Layout& layout, const std::string& name, TypedPtr value,
                              const event::Column* like) {
    const bool is_plain = value->type.kind == TypeKind::integer && value->show == Show::plainly &&
                          !value->type.is_time && scope_.types[value->of].kind != DebugType::Kind::enumeration;
    bool refuse_negative = false;
    if (like != nullptr && like->type == event::ColumnType::signed_integer && is_plain && !value->type.is_signed) {
      refuse_negative = value->type.bytes == 8;
      value = converted(std::move(value), long_type);
    }
    auto write = compile::append(layout, name, std::move(value), scope_.types);
    if (write) write->refuse_negative = refuse_negative;
    return write;
  }
  // Of other places, the column that comes next in `layout`.
  [[nodiscard]] static const event::Column* next_of(const event::Layout* like, const event::Layout& layout) {
    const std::size_t at = layout.columns.size();
    return like != nullptr && at < like->columns.size() ? &like->columns[at] : nullptr;
  }

  void layouts() {
    const event::Layout* like = like_ != nullptr ? &like_->key : nullptr;
    for (std::size_t i = 0; i < made_of_.labels.size(); ++i) {
      auto write =
          append(made_.key, instrument_.labels[i].name, std::move(made_of_.labels[i]), next_of(like, made_.key));
      if (write) lowered_.writes.push_back(std::move(*write));
    }
    const bool fits = made_.key.size <= KEY_MAX;
    if (!is_log() && !fits && probe_.aggregate == spec::Aggregate::kernel) {
      return fail(instrument_.labels.front().expression.place, "labels",
                  "they take " + std::to_string(made_.key.size) + " bytes, and the kernel folds at most " +
                      std::to_string(static_cast<int>(KEY_MAX)),
                  "shorten texts with `str(x, n)`, or use `aggregate: events`");
    }
    made_.fold = !is_log() && fits && probe_.aggregate != spec::Aggregate::events;
    if (made_.fold) {
      for (Write& write : lowered_.writes) write.offset += static_cast<std::uint32_t>(offsetof(evaluation, key));
      lowered_.value = Write{.value = std::move(made_of_.value), .offset = offsetof(evaluation, value)};
    } else {
      payload();
    }
  }

  void payload() {
    event::Layout& payload = made_.payload;
    const event::Layout* like = like_ != nullptr ? &like_->payload : nullptr;
    const std::size_t others = made_.key.columns.size() + (made_of_.value ? 1 : 0);
    const auto may_be_null = [&](std::size_t field) {
      if (can_be_null(*made_of_.fields[field])) return true;
      return like != nullptr && others + field < like->columns.size() && like->columns[others + field].null_bit >= 0;
    };
    std::vector<bool> nulls;
    for (std::size_t i = 0; i < made_of_.fields.size(); ++i) nulls.push_back(may_be_null(i));
    const auto nullable = std::count(nulls.begin(), nulls.end(), true);
    if (static_cast<std::size_t>(nullable) > nullable_fields) {
      return fail(instrument_.place, "message", "more than 64 expressions that may be null", "use fewer");
    }
    if (nullable > 0) {
      lowered_.nulls_offset = 0;
      payload.size = 8;
    }
    made_.payload_key_offset = payload.size;
    for (Write& write : lowered_.writes) write.offset += payload.size;
    payload.columns = made_.key.columns;
    for (event::Column& column : payload.columns) column.offset += payload.size;
    payload.size += made_.key.size;
    if (made_of_.value) {
      const auto offset = static_cast<std::int32_t>(payload.size);
      lowered_.value = append(payload, "value", std::move(made_of_.value), next_of(like, payload));
      if (lowered_.value) made_.payload_value_offset = offset;
    }
    int bit = 0;
    for (std::size_t i = 0; i < made_of_.fields.size(); ++i) {
      auto write = append(payload, instrument_.message->expressions[i].text, std::move(made_of_.fields[i]),
                          next_of(like, payload));
      if (!write) continue;
      if (nulls[i]) payload.columns.back().null_bit = write->null_bit = bit++;
      lowered_.writes.push_back(std::move(*write));
    }
  }

  void functions() {
    lowered_.where = std::move(made_of_.where);
    lowered_.sample_every = instrument_.sample_every;
    lowered_.marks_truncated = !made_.fold;
    if (lowered_.value) {
      const Typed& value = *lowered_.value->value;
      const bool counts =
          instrument_.type == InstrumentType::counter && value.op != Op::constant && value.type.is_signed;
      if (counts || refuse_negative_) lowered_.value->refuse_negative = true;
    }
    if (made_.fold && instrument_.type == InstrumentType::histogram) lowered_.bounds = made_.bounds;
    std::optional<Function> admit = made_.fold ? Function{} : emit_admit(lowered_);
    std::optional<Function> evaluate = emit_evaluate(lowered_, made_.fold ? Filter::here : Filter::in_admit);
    if (!admit || !evaluate) {
      return fail(instrument_.place, "instrument", "its expressions are too large for one BPF function",
                  "simplify them, or split them over several instruments");
    }
    made_.admit = std::move(*admit);
    made_.evaluate = std::move(*evaluate);
  }

  const spec::Probe& probe_;
  const spec::Instrument& instrument_;
  const Evaluation* like_;
  const Scope& scope_;
  SavedValues& saved_;
  std::vector<spec::Fault>& faults_;
  std::size_t faults_before_;
  Expressions made_of_;
  std::optional<std::pair<const char*, spec::Place>> mentioned_;
  std::optional<spec::Place> result_place_, stack_place_;
  bool mentions_error_ = false;
  bool has_unknown_ = false;      // there is no target yet
  bool refuse_negative_ = false;  // the value is signed at other places only
  Lowered lowered_;
  Evaluation made_;
};

Evaluated evaluated(const spec::Probe& probe, const Scope& scope) {
  Evaluated made;
  SavedValues saved;
  for (const spec::Instrument& instrument : probe.instruments) {
    const Evaluation* like =
        scope.subject.like != nullptr ? &scope.subject.like->instruments[made.probe.instruments.size()] : nullptr;
    InstrumentCompiler compiler(probe, instrument, like, scope, saved, made.faults);
    made.probe.instruments.push_back(compiler.run());
    const Evaluation& compiled = made.probe.instruments.back();
    made.probe.uses_result_words = made.probe.uses_result_words || compiled.uses_result_words;
    made.probe.uses_depth = made.probe.uses_depth || compiled.uses_depth;
    bool& reads = compiled.phase == Phase::call ? made.probe.reads_memory_at_call : made.probe.reads_memory_at_end;
    reads = reads || reads_memory(compiled.admit) || reads_memory(compiled.evaluate);
  }
  made.probe.saved = saved.saved();
  made.probe.entry_registers = saved.entry_registers();
  if (made.probe.saved.empty() || !made.faults.empty()) return made;
  made.probe.capture = emit_capture(saved.slots());
  if (made.probe.capture) {
    made.probe.reads_memory_at_call = made.probe.reads_memory_at_call || reads_memory(*made.probe.capture);
    return made;
  }
  made.faults.push_back({probe.instruments.front().place, "instrument",
                         "what is kept of the call is too much for one BPF function",
                         "use fewer parameters, or split the probe"});
  return made;
}

Abi abi_of(const spec::Probe& probe, const Subject& subject) {
  return probe.target.place_by == spec::PlaceBy::function ? subject.abi : Abi::none;
}

}  // namespace

std::vector<spec::Fault> check(const spec::Probe& probe) {
  Types types;
  const Subject about{.abi = abi_of(probe, {})};
  return evaluated(probe, {.subject = about, .offline = true, .types = types}).faults;
}

Evaluated evaluate(const spec::Probe& probe, const Subject& subject) {
  Subject about = subject;
  about.abi = abi_of(probe, subject);
  Types types(about.debug);
  Evaluated made = evaluated(probe, {.subject = about, .offline = false, .types = types});
  if (subject.may_sleep && made.faults.empty()) let_sleep(made.probe);
  return made;
}

}  // namespace diagnose::compile
