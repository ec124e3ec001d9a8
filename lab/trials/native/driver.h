// What the parts of the driver share: checks that end the process with a place, random
// numbers, operator calls.
#pragma once
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>
#include <string>
#include <vector>
#include "../../../native/aam_torch.h"

#define CHECK(condition)                                                             \
  do {                                                                               \
    if (!(condition)) {                                                              \
      std::fprintf(stderr, "%s:%d: not so: %s\n", __FILE__, __LINE__, #condition);   \
      std::exit(1);                                                                  \
    }                                                                                \
  } while (0)

namespace driver {

// SplitMix64 (Steele, Lea and Flood 2014).
struct Random {
  uint64_t state;
  uint64_t next() {
    uint64_t z = (state += 0x9e3779b97f4a7c15);
    z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
    z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
    return z ^ (z >> 31);
  }
  int below(int bound) { return static_cast<int>(next() % static_cast<uint64_t>(bound)); }
  // Any bit pattern, or a number that fields of a packing are tempted by.
  double any_double() {
    static const double tempting[] = {0, 1, -1, 2, 3, 0.5, -0.5, 255, 256, 65536, 2147483647, 2147483648.0, -2147483648.0,
                                      4294967296.0, 9007199254740991.0, 9007199254740992.0, 1e300, -1e300, INFINITY, -INFINITY,
                                      NAN, 16777216, 16777217, 33554433, 4503599627370495.0, 4503599627370496.0};
    if (below(3) != 0) return tempting[below(sizeof tempting / sizeof *tempting)];
    uint64_t bits = next();
    double value;
    std::memcpy(&value, &bits, sizeof value);
    return value;
  }
};

inline const uint8_t* bytes_of(const std::string& text) { return reinterpret_cast<const uint8_t*>(text.data()); }

inline std::string last_error(int full = 0) {
  int32_t length = aamt_last_error(nullptr, 0, full);
  std::string text(length, '\0');
  aamt_last_error(reinterpret_cast<uint8_t*>(text.data()), length, full);
  return text;
}

inline int32_t find(const std::string& name, const std::string& overload = "") {
  return aamt_op_find(bytes_of(name), static_cast<int32_t>(name.size()), bytes_of(overload), static_cast<int32_t>(overload.size()));
}

// Calls an operator; the packed results, all of them. `status` gets the status, negative for an error.
inline std::vector<double> call(int32_t op, const std::vector<double>& arguments, int32_t& status, const std::string& text = "",
                                int32_t capacity = 64) {
  std::vector<double> results(capacity, NAN);
  status = aamt_op_call(op, arguments.data(), static_cast<int32_t>(arguments.size()), bytes_of(text),
                        static_cast<int32_t>(text.size()), results.data(), capacity, 0);
  if (status < 0) return {};
  if (status > capacity) {
    results.resize(status);
    CHECK(aamt_take_results(results.data(), status) == status);
  }
  results.resize(status);
  return results;
}

// An operator that must succeed with one tensor.
inline double tensor(int32_t op, const std::vector<double>& arguments, const std::string& text = "") {
  int32_t status;
  auto results = call(op, arguments, status, text);
  if (status < 0) std::fprintf(stderr, "%s\n", last_error().c_str());
  CHECK(status == 3 && results[0] == AAMT_TAG_TENSOR);
  return results[1];
}

// Frees every tensor in packed results.
inline void free_results(const std::vector<double>& results) {
  for (size_t i = 0; i < results.size();) {
    int tag = static_cast<int>(results[i]);
    size_t count = tag == AAMT_TAG_TENSOR || tag == AAMT_TAG_NONE ? 0 : static_cast<size_t>(results[i + 1]);
    if (tag == AAMT_TAG_TENSOR) {
      CHECK(aamt_free(results[i + 1]) == 0);
      i += 3;
    } else if (tag == AAMT_TAG_TENSOR_LIST) {
      for (size_t k = 0; k < count; k++)
        if (results[i + 2 + 2 * k] != 0) CHECK(aamt_free(results[i + 2 + 2 * k]) == 0);
      i += 2 + 2 * count;
    } else if (tag == AAMT_TAG_INT_LIST) {
      i += 2 + count;
    } else {
      i += tag == AAMT_TAG_NONE ? 1 : tag == AAMT_TAG_DEVICE ? 3 : 2;
    }
  }
}

inline double live() {
  double count;
  CHECK(aamt_live_handles(&count) == 0);
  return count;
}

inline double from_floats(const std::vector<float>& values, std::initializer_list<double> shape) {
  std::vector<double> sizes(shape);
  double handle;
  CHECK(aamt_from_host(reinterpret_cast<const uint8_t*>(values.data()), 4.0 * static_cast<double>(values.size()), 6, sizes.data(),
                       static_cast<int32_t>(sizes.size()), 0, &handle) == 0);
  return handle;
}

inline std::vector<float> to_floats(double handle, size_t count) {
  std::vector<float> values(count);
  CHECK(aamt_to_host(handle, reinterpret_cast<uint8_t*>(values.data()), 4.0 * static_cast<double>(count)) == 0);
  return values;
}

// The parts; `effort` scales how often the random ones try.
void operators();
void handles();
void arguments();
void autograd();
void random_numbers();
void machine();
void group();
void turns();
void typed(int effort);
void segments(int effort);
void packings(int effort);
void threads(int effort);
void allocator(int effort);

}  // namespace driver
