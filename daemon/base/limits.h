// Every bound of the product, with its unit, its reason and what happens when it is reached.
#pragma once

#include <chrono>
#include <cstddef>
#include <cstdint>

namespace diagnose::limits {

using namespace std::chrono_literals;

// Specs.  Beyond: the file is refused with the bound in the message.
inline constexpr std::size_t spec_file_bytes = 1U << 20U;  // a person writes these
inline constexpr std::size_t specs = 1000;                 // on one host
inline constexpr std::size_t yaml_depth = 64;              // nesting; parsers recurse
inline constexpr std::size_t yaml_nodes = 100'000;         // after aliases are followed (YAML bombs)
inline constexpr std::size_t id_chars = 64;
inline constexpr std::size_t instruments_per_probe = 16;
inline constexpr std::size_t labels_per_instrument = 16;

// Expressions.  Beyond: a fault on that expression.
inline constexpr std::size_t expression_chars = 1024;
inline constexpr std::size_t expression_depth = 32;  // also bounds the BPF stack that evaluation needs
inline constexpr std::size_t string_bytes = 256;     // of one string read from a target; longer is cut
inline constexpr std::uint32_t stack_frames = 32;    // of `ustack`, innermost first; the rest is left out
inline constexpr std::size_t buckets = 128;          // of a histogram, the last (+Inf) not counted

// Series.  Beyond: the value goes to the series whose labels are `__other__`.
inline constexpr std::size_t series_per_instrument = 1000;
inline constexpr std::size_t series_per_host = 100'000;

// Targets.
inline constexpr std::size_t sites_per_probe = 10'000;  // beyond: the probe fails and says so
inline constexpr std::size_t forms_per_probe = 128;     // ways in which its places have what it asks for; others fail
inline constexpr std::size_t surveyed_files = 1'000;    // whose traits are remembered; beyond: all are forgotten
inline constexpr std::size_t callers_per_probe =
    2'000;  // call sites found or learnt; beyond: the exits are probed instead
inline constexpr std::size_t processes_per_probe = 10'000;  // beyond: the rest is told in `status`
inline constexpr std::size_t sites_read_back = 2'000;       // of a process, from its memory; the rest is taken on trust
inline constexpr std::size_t function_bytes = 16U << 20U;   // a larger symbol is no function
inline constexpr std::size_t functions_listed = 5'000;      // of one question; beyond: the list is cut and says so
inline constexpr std::size_t symbolized_places = 4'096;     // of one question
inline constexpr std::size_t functions_explained = 100;     // with their arguments; the others by their sites only
inline constexpr std::size_t symbols_kept = 65'536;         // names of functions; beyond: all are forgotten
inline constexpr std::size_t symbolized_processes = 1'024;  // whose maps are kept; beyond: all are forgotten
inline constexpr std::size_t functions_completed = 500;     // names offered to a shell

// The sandboxed reader of files.  Beyond: that request fails and says so; a reader over its bounds is killed, and a
// fresh one serves the next request.
inline constexpr auto reader_cpu = 2s;                             // of processor time for one request
inline constexpr auto reader_wait = 10s;                           // for its answer: the loop stands still meanwhile
inline constexpr auto reader_life_cpu = 600s;                      // of processor time in all, should nobody look
inline constexpr std::size_t reader_memory_bytes = 1U << 30U;      // of address space
inline constexpr std::size_t reader_resident_bytes = 64U << 20U;   // kept between requests; then a fresh one starts
inline constexpr unsigned reader_requests = 1000;                  // then a fresh one starts
inline constexpr std::size_t reader_files = 64;                    // descriptors in one request
inline constexpr std::size_t reader_request_bytes = 16U << 20U;    // 10,000 functions under all their names
inline constexpr std::size_t reader_request_memory = 256U << 20U;  // for one request, decoded
inline constexpr std::size_t reader_answer_bytes = 64U << 20U;     // of one answer
inline constexpr std::size_t reader_answer_memory = 256U << 20U;   // for one answer, decoded
// Answers kept under --state; the oldest give way.
inline constexpr std::size_t kept_answers = 1'000;
inline constexpr std::size_t kept_answer_bytes = 1U << 20U;    // a larger one is not kept
inline constexpr std::size_t kept_answers_bytes = 32U << 20U;  // all together
// Debug information.  Beyond: what lies behind is not known, and the message says so.
inline constexpr std::size_t debug_files = 8;  // candidates for one file
inline constexpr std::uint64_t debug_file_bytes = 8ULL << 30U;
inline constexpr std::uint64_t debug_mapped_bytes = 512U << 20U;  // beyond: read, as the reader's memory is bounded
inline constexpr auto debuginfod_wait = 60s;                      // for one file; it then counts as not found
inline constexpr auto debuginfod_patience = 1s;                   // of the loop for it; it is then fetched meanwhile
inline constexpr auto debuginfod_absent = 10min;                  // before a file that no server had is asked for again
inline constexpr std::size_t debuginfod_queue = 64;               // files to fetch; beyond: not asked for
inline constexpr std::size_t debuginfod_remembered = 1'000;       // beyond: all are forgotten
inline constexpr std::size_t split_files = 48;                    // given for one question; others are as if missing
inline constexpr std::size_t searched_files = 256;             // whose debug files are known; beyond: all are forgotten
inline constexpr std::size_t mini_symbols_bytes = 64U << 20U;  // of .gnu_debugdata, unpacked
inline constexpr std::size_t debug_units = 200'000;            // of one file; a browser has some 30,000
inline constexpr std::size_t debug_entries = 8'000'000;        // looked at in one walk: about a second
inline constexpr std::size_t debug_types = 20'000;             // in one answer
inline constexpr std::size_t debug_members = 4'000;            // of one record or enumeration
inline constexpr std::size_t counted_copies = 200;             // listed functions whose inlined copies are counted
inline constexpr std::size_t debug_variables = 500;            // of one place

// Control socket.  Beyond: the message is refused and the connection closed.
inline constexpr std::size_t control_message_bytes = 1U << 20U;
inline constexpr std::size_t control_clients = 64;
inline constexpr std::size_t client_backlog_bytes = 4U << 20U;  // a slow follower loses records, counted

// Calls and records.
inline constexpr std::size_t frames_per_thread = 64;  // open calls of one probe on one thread; deeper ones are lost
// Of one probe; more are dropped and counted.  Half of what the loop can take: 5,000 each 5 ms.
inline constexpr std::uint64_t records_per_second = 500'000;

// Ring.
// Its size is RING_BYTES in bpf/contract.h; beyond: LOSS_RING_FULL.
inline constexpr std::size_t drain_records = 5'000;  // in one turn of the loop, so that control stays quick
inline constexpr auto drain_pause = 5ms;  // between turns: a busy ring costs 200 wake-ups a second, an idle one none

// Overhead, as fractions of one core.  Beyond, for `overhead_patience`: the probe, or the dearest of all, is detached.
inline constexpr double probe_overhead = 0.05;
inline constexpr double host_overhead = 0.20;      // all probes together
inline constexpr double overhead_most = 1000;      // that a spec may ask for: more cores than any host has
inline constexpr auto overhead_patience = 2s;      // a burst is no reason
inline constexpr auto overhead_look = 500ms;       // while something is hit
inline constexpr auto overhead_look_longest = 4s;  // while nothing is: an idle daemon sleeps

// Time.
inline constexpr auto default_lifespan = 10min;
inline constexpr auto sample_longest = 30s;  // of `explain --sample`; a client waits for it
inline constexpr auto retention = 5min;      // series of an ended probe
inline constexpr auto spec_poll = 60s;       // beside inotify, for file systems that have none
inline constexpr auto shutdown = 5s;         // SIGTERM to exit

// From one daemon to the next.  Beyond: probes are attached anew, and the log says so.
inline constexpr std::size_t handover_bytes = 256U << 20U;  // of text; every probe with every caller takes less
inline constexpr auto handover_patience = 1s;               // for the service manager to read, twice

}  // namespace diagnose::limits
