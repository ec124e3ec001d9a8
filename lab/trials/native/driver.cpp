// Drives the shim's exports without Bun, to be built with the address, undefined-behaviour or
// thread sanitizer: `bun tests/native/sanitize.ts`. Ends with 0 if everything behaved; each part
// leaves no live handle behind.
#include "driver.h"

using namespace driver;

// The library of the shim's own operators lives as long as the process: leaving the dispatcher while
// LibTorch unloads is not safe.
extern "C" const char* __lsan_default_suppressions();
extern "C" const char* __lsan_default_suppressions() { return "leak:aamt::register_operators"; }

int main(int count, char** arguments_given) {
  std::string part = count > 1 ? arguments_given[1] : "all";
  int effort = count > 2 ? std::atoi(arguments_given[2]) : 1;
  struct Part {
    const char* name;
    void (*run)(int);
  };
  static const Part parts[] = {
      {"operators", [](int) { operators(); }},   {"handles", [](int) { handles(); }},
      {"arguments", [](int) { arguments(); }},   {"autograd", [](int) { autograd(); }},
      {"random", [](int) { random_numbers(); }}, {"allocator", allocator},
      {"group", [](int) { group(); }},
      {"turns", [](int) { turns(); }},           {"machine", [](int) { machine(); }},       {"typed", typed},
      {"segments", segments},                    {"threads", threads},
      {"packings", packings},
  };
  bool found = false;
  for (const auto& one : parts) {
    if (part != "all" && part != one.name) continue;
    found = true;
    double before = live();
    one.run(effort);
    CHECK(live() == before);
    std::printf("%s: passed\n", one.name);
    std::fflush(stdout);
  }
  CHECK(found);
  return 0;
}
