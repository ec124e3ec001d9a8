// LibTorch's profiler (Kineto): what ran, for how long, on what shapes.
#include <ATen/record_function.h>
#include <torch/csrc/autograd/profiler_kineto.h>
#include <sstream>
#include "internal.h"
#include "memoryReports.h"

using namespace aamt;
namespace profiler = torch::autograd::profiler;
using torch::profiler::impl::ActivityType;

namespace {
std::unique_ptr<profiler::ProfilerResult> result;
bool running = false;

std::string quoted(const std::string& text) {
  std::ostringstream out;
  out << '"';
  for (unsigned char c : text) {
    if (c == '"' || c == '\\') out << '\\' << c;
    else if (c < 0x20) out << ' ';
    else out << c;
  }
  out << '"';
  return out.str();
}

std::string events_text() {
  std::ostringstream out;
  out << '[';
  bool first = true;
  for (const auto& event : result->events()) {
    if (event.isHiddenEvent()) continue;
    if (!first) out << ",\n";
    first = false;
    out << '[' << quoted(event.name()) << ',' << event.startNs() << ',' << event.durationNs() << ',' << event.startThreadId() << ','
        << static_cast<int>(event.deviceType()) << ',' << event.nBytes() << ',' << event.flops() << ',' << event.correlationId() << ','
        << event.linkedCorrelationId() << ",[";
    bool next = false;
    if (event.hasShapes())
      for (const auto& shape : event.shapes()) {
        out << (next ? ",[" : "[");
        for (size_t i = 0; i < shape.size(); i++) out << (i ? "," : "") << shape[i];
        out << ']';
        next = true;
      }
    out << "]]";
  }
  out << ']';
  return out.str();
}
std::string events;
}  // namespace

std::atomic<bool> aamt::report_memory{false};

int32_t aamt_profiler_start(int32_t accelerator, int32_t shapes, int32_t memory, int32_t flops) {
  AAMT_GUARD({
    if (running) throw ShimError(AAMT_ERR_ARGUMENT, "a profile is being recorded already");
    torch::profiler::impl::ProfilerConfig config(torch::profiler::impl::ProfilerState::KINETO, shapes != 0 || flops != 0, memory != 0,
                                                 false, flops != 0, false);
    std::set<ActivityType> activities{ActivityType::CPU};
    if (accelerator) activities.insert(ActivityType::CUDA);
    profiler::prepareProfiler(config, activities);
    profiler::enableProfiler(config, activities);
    running = true;
    report_memory = memory != 0;
    return 0;
  })
}

namespace {
thread_local std::vector<std::unique_ptr<at::RecordFunction>> marks;
}

int32_t aamt_profiler_mark(const uint8_t* name, int32_t length) {
  AAMT_GUARD({
    need(name, length);
    if (length == 0) {
      if (marks.empty()) throw ShimError(AAMT_ERR_ARGUMENT, "no mark is open");
      marks.pop_back();
    } else {
      marks.push_back(std::make_unique<at::RecordFunction>(at::RecordScope::USER_SCOPE));
      if (marks.back()->isActive()) marks.back()->before(std::string(reinterpret_cast<const char*>(name), length));
    }
    return static_cast<int32_t>(marks.size());
  })
}

int32_t aamt_profiler_stop(void) {
  AAMT_GUARD({
    if (!running) throw ShimError(AAMT_ERR_ARGUMENT, "no profile is being recorded");
    running = false;
    report_memory = false;
    result = profiler::disableProfiler();
    events = events_text();
    return 0;
  })
}

int32_t aamt_profiler_events(uint8_t* text, int32_t capacity) { AAMT_GUARD(return copy_text(events, text, capacity);) }

int32_t aamt_profiler_save(const uint8_t* path, int32_t length) {
  AAMT_GUARD({
    need(path, length);
    if (!result) throw ShimError(AAMT_ERR_ARGUMENT, "there is no profile");
    result->save(std::string(reinterpret_cast<const char*>(path), length));
    return 0;
  })
}
