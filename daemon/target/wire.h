// Structs to bytes and back, for the socket between the daemon and its sandboxed reader.  One function for each struct,
// `fields(archive, value)`, names its fields once for both ways (reader_wire.h).  Little-endian, as both ends are.
#pragma once

#include <array>
#include <concepts>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "base/fd.h"

namespace diagnose::target::wire {

template <typename S, typename T>
concept As = std::same_as<std::remove_const_t<S>, T>;

// A field that holds descriptors: they travel beside the bytes.
template <typename T>
struct Descriptors {
  T& of;
};
template <typename T>
Descriptors<T> descriptors(T& of) {
  return {of};
}

// Enumerations with a list of values (`known(value)` says which); others, such as addresses, are numbers.
template <typename E>
concept Listed = std::is_enum_v<E> && requires(E value) {
  { known(value) } -> std::same_as<bool>;
};

class Writer {
 public:
  template <typename... T>
  void operator()(const T&... values) {
    (put(values), ...);
  }
  [[nodiscard]] const std::string& bytes() const { return bytes_; }
  [[nodiscard]] const std::vector<int>& descriptors() const { return descriptors_; }

 private:
  template <typename T>
  void put(const T& value) {
    if constexpr (Listed<T>) {
      put(static_cast<std::uint8_t>(value));
    } else if constexpr (std::is_enum_v<T> || std::is_integral_v<T>) {
      bytes_.append(reinterpret_cast<const char*>(&value), sizeof value);
    } else {
      fields(*this, value);
    }
  }
  void put(const std::string& text) {
    put(static_cast<std::uint32_t>(text.size()));
    bytes_ += text;
  }
  template <typename T>
  void put(const std::vector<T>& list) {
    put(static_cast<std::uint32_t>(list.size()));
    for (const T& one : list) put(one);
  }
  template <typename T>
  void put(const std::optional<T>& maybe) {
    put(maybe.has_value());
    if (maybe) put(*maybe);
  }
  void put(Descriptors<const int> one) {
    put(one.of >= 0);
    if (one.of >= 0) descriptors_.push_back(one.of);
  }
  void put(Descriptors<const std::vector<int>> list) {
    put(static_cast<std::uint32_t>(list.of.size()));
    for (const int& one : list.of) put(wire::descriptors(one));
  }

  std::string bytes_;
  std::vector<int> descriptors_;
};

// Believes nothing: whatever the bytes are, it ends, takes memory within `memory_max`, and says whether all was well.
class Reader {
 public:
  // `descriptors` are those that came with the bytes; they stay the caller's, and it must keep both alive.
  Reader(std::string_view bytes, std::size_t memory_max, std::span<const Fd> descriptors = {})
      : left_(bytes), memory_(memory_max), descriptors_(descriptors) {}

  template <typename... T>
  void operator()(T&&... values) {
    (get(values), ...);
  }
  [[nodiscard]] bool ok() const { return ok_; }
  // Read to the last byte without a fault.
  [[nodiscard]] bool done() const { return ok_ && left_.empty(); }

 private:
  template <typename T>
  void get(T& value) {
    if constexpr (std::is_same_v<T, bool>) {
      value = number<std::uint8_t>(1) != 0;
    } else if constexpr (Listed<T>) {
      const T read{number<std::uint8_t>(0xff)};
      if (!known(read)) return fail();
      value = read;
    } else if constexpr (std::is_enum_v<T>) {
      value = T{number<std::underlying_type_t<T>>()};
    } else if constexpr (std::is_integral_v<T>) {
      value = number<T>();
    } else {
      fields(*this, value);
    }
  }
  void get(std::string& text) {
    const auto size = number<std::uint32_t>();
    if (size > left_.size() || !take(size)) return fail();
    text = left_.substr(0, size);
    left_.remove_prefix(size);
  }
  template <typename T>
  void get(std::vector<T>& list) {
    list.clear();
    const auto count = number<std::uint32_t>();
    if (count > left_.size()) return fail();  // an element is a byte at least
    for (std::uint32_t at = 0; at < count && ok_; ++at) {
      if (!take(2 * sizeof(T))) return fail();  // a growing vector holds up to twice its elements
      get(list.emplace_back());
    }
  }
  template <typename T>
  void get(std::optional<T>& maybe) {
    bool has = false;
    get(has);
    maybe.reset();
    if (has && ok_) get(maybe.emplace());
  }
  void get(Descriptors<int> one) {
    bool has = false;
    get(has);
    if (!has) return;
    if (next_descriptor_ == descriptors_.size()) return fail();
    one.of = descriptors_[next_descriptor_++].get();
  }
  void get(Descriptors<std::vector<int>> list) {
    const auto count = number<std::uint32_t>();
    if (count > left_.size()) return fail();
    for (std::uint32_t at = 0; at < count && ok_; ++at) get(wire::descriptors(list.of.emplace_back(-1)));
  }

  template <typename T>
  T number(T most = static_cast<T>(~T{0})) {
    std::make_unsigned_t<T> value = 0;
    if (!ok_ || left_.size() < sizeof value) {
      fail();
      return T{};
    }
    std::memcpy(&value, left_.data(), sizeof value);
    left_.remove_prefix(sizeof value);
    if (value > static_cast<std::make_unsigned_t<T>>(most)) {
      fail();
      return T{};
    }
    return static_cast<T>(value);
  }
  bool take(std::size_t bytes) {
    if (bytes > memory_) return false;
    memory_ -= bytes;
    return true;
  }
  void fail() { ok_ = false; }

  std::string_view left_;
  std::size_t memory_;
  std::span<const Fd> descriptors_;
  std::size_t next_descriptor_ = 0;
  bool ok_ = true;
};

// ---- a forgotten field does not compile ----

// Counts what a `fields` names.
struct Count {
  template <typename... T>
  constexpr auto operator()(const T&...) const {
    return std::integral_constant<std::size_t, sizeof...(T)>{};
  }
};

struct Anything {
  template <typename T>
  operator T() const;  // never defined: asked for in unevaluated places only
};

// How many fields the aggregate T has: as many initialisers as it takes.  An optional is not sure what to make of
// Anything and takes nullopt.
template <typename T, typename... Initialisers>
consteval std::size_t fields_of() {
  if constexpr (requires { T{Initialisers{}..., Anything{}}; }) {
    return fields_of<T, Initialisers..., Anything>();
  } else if constexpr (requires { T{Initialisers{}..., std::optional<char>{}}; }) {
    return fields_of<T, Initialisers..., std::optional<char>>();
  } else {
    return sizeof...(Initialisers);
  }
}

// Every field of T is named by its `fields`, as far as a count can tell.
template <typename T>
inline constexpr bool complete = decltype(fields(std::declval<const Count&>(), std::declval<T&>()))::value ==
                                 fields_of<T>();

}  // namespace diagnose::target::wire
