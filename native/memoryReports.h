// Whether the CPU's allocator tells the profiler what it gives and takes back.
#pragma once
#include <atomic>

namespace aamt {
extern std::atomic<bool> report_memory;
}
