// The text of the last error of each thread, and the one place where exceptions are classified.
#include <c10/util/Exception.h>
#include <cstring>
#include <new>
#include "internal.h"

namespace aamt {
namespace {
thread_local std::string short_text;
thread_local std::string full_text;

int32_t store(int32_t code, const char* brief, const char* full) {
  short_text = brief;
  full_text = full;
  return code;
}
int32_t store(int32_t code, const c10::Error& error) { return store(code, error.what_without_backtrace(), error.what()); }
}  // namespace

int32_t record_current_exception() noexcept {
  try {
    try {
      throw;
    } catch (const ShimError& e) {
      return store(e.code, e.what(), e.what());
    } catch (const c10::OutOfMemoryError& e) {
      return store(AAMT_ERR_OUT_OF_MEMORY, e);
    } catch (const c10::IndexError& e) {
      return store(AAMT_ERR_INDEX, e);
    } catch (const c10::ValueError& e) {
      return store(AAMT_ERR_VALUE, e);
    } catch (const c10::TypeError& e) {
      return store(AAMT_ERR_TYPE, e);
    } catch (const c10::NotImplementedError& e) {
      return store(AAMT_ERR_NOT_IMPLEMENTED, e);
    } catch (const c10::Error& e) {
      // The CPU allocator reports a lack of memory as a plain error.
      bool memory = std::strstr(e.what_without_backtrace(), "can't allocate memory") != nullptr;
      return store(memory ? AAMT_ERR_OUT_OF_MEMORY : AAMT_ERR_OTHER, e);
    } catch (const std::bad_alloc& e) {
      return store(AAMT_ERR_OUT_OF_MEMORY, "not enough memory", e.what());
    } catch (const std::exception& e) {
      return store(AAMT_ERR_OTHER, e.what(), e.what());
    } catch (...) {
      return store(AAMT_ERR_OTHER, "unknown native exception", "unknown native exception");
    }
  } catch (...) {
    return AAMT_ERR_OUT_OF_MEMORY;  // storing the text failed
  }
}

std::vector<double>& pending_results() {
  thread_local std::vector<double> values;
  return values;
}

std::string& pending_text() {
  thread_local std::string text;
  return text;
}

int32_t deliver(std::vector<double>& values, double* results, int32_t capacity) {
  int32_t needed = static_cast<int32_t>(values.size());
  if (needed <= capacity) {
    if (needed > 0) std::memcpy(results, values.data(), needed * sizeof(double));
  } else {
    pending_results() = std::move(values);
  }
  return needed;
}

int32_t copy_text(const std::string& text, uint8_t* out, int32_t capacity) {
  int32_t length = static_cast<int32_t>(text.size());
  if (capacity > 0) std::memcpy(out, text.data(), length < capacity ? length : capacity);
  return length;
}

}  // namespace aamt

using namespace aamt;

int32_t aamt_last_error(uint8_t* text, int32_t capacity, int32_t full) {
  return copy_text(full ? full_text : short_text, text, capacity);
}

int32_t aamt_take_results(double* results, int32_t capacity) {
  AAMT_GUARD(auto& values = pending_results(); int32_t needed = static_cast<int32_t>(values.size());
             if (needed > capacity) throw ShimError(AAMT_ERR_ARGUMENT, "the result buffer is too small");
             std::memcpy(results, values.data(), needed * sizeof(double)); values.clear(); return needed;)
}

int32_t aamt_take_text(uint8_t* text, int32_t capacity) {
  AAMT_GUARD(int32_t length = copy_text(pending_text(), text, capacity);
             if (capacity >= length) pending_text().clear(); return length;)
}
