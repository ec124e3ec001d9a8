// The text of the last error of each thread, and the one place where exceptions are classified.
#include <c10/util/Exception.h>
#include <cstring>
#include <exception>
#include <new>
#include "internal.h"

namespace aamt {
namespace {
thread_local std::string last_text;
// What knows the native backtrace, whose names take milliseconds to find: only on demand.
thread_local std::exception_ptr last_exception;

int32_t store(int32_t code, const char* text) {
  last_text = text;
  last_exception = std::current_exception();
  return code;
}
int32_t store(int32_t code, const c10::Error& error) { return store(code, error.what_without_backtrace()); }

std::string full_text() {
  if (last_exception == nullptr) return last_text;
  try {
    std::rethrow_exception(last_exception);
  } catch (const std::exception& e) {
    return e.what();
  } catch (...) {
    return last_text;
  }
}
}  // namespace

int32_t record_current_exception() noexcept {
  try {
    try {
      throw;
    } catch (const ShimError& e) {
      return store(e.code, e.what());
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
    } catch (const std::bad_alloc&) {
      return store(AAMT_ERR_OUT_OF_MEMORY, "not enough memory");
    } catch (const std::exception& e) {
      return store(AAMT_ERR_OTHER, e.what());
    } catch (...) {
      return store(AAMT_ERR_OTHER, "unknown native exception");
    }
  } catch (...) {
    return AAMT_ERR_OUT_OF_MEMORY;  // storing the text failed
  }
}

int64_t integer(double value) {
  if (!(value >= -9007199254740992.0 && value <= 9007199254740992.0) || value != static_cast<double>(static_cast<int64_t>(value)))
    throw ShimError(AAMT_ERR_ARGUMENT, "expected an integer, got " + std::to_string(value));
  return static_cast<int64_t>(value);
}

at::Scalar scalar(double value) {
  bool whole = value >= -9007199254740991.0 && value <= 9007199254740991.0 && value == static_cast<double>(static_cast<int64_t>(value));
  return whole ? at::Scalar(static_cast<int64_t>(value)) : at::Scalar(value);
}

size_t byte_count(double value) {
  int64_t bytes = integer(value);
  if (bytes < 0) throw ShimError(AAMT_ERR_ARGUMENT, "a number of bytes is negative");
  return static_cast<size_t>(bytes);
}

at::ScalarType dtype_of(int64_t code) {
  if (code < 0 || code >= static_cast<int64_t>(at::ScalarType::Undefined))
    throw ShimError(AAMT_ERR_ARGUMENT, "no such dtype: " + std::to_string(code));
  return static_cast<at::ScalarType>(code);
}

c10::DeviceType device_type_of(int64_t type) {
  if (type < 0 || type >= static_cast<int64_t>(c10::DeviceType::COMPILE_TIME_MAX_DEVICE_TYPES))
    throw ShimError(AAMT_ERR_ARGUMENT, "no such device type: " + std::to_string(type));
  return static_cast<c10::DeviceType>(type);
}

c10::Device device_of(int64_t type, int64_t index) {
  c10::DeviceType known = device_type_of(type);
  if (index < -1 || index > 127 || (known == c10::DeviceType::CPU && index > 0))
    throw ShimError(AAMT_ERR_ARGUMENT, "no such device index: " + std::to_string(index));
  return c10::Device(known, static_cast<c10::DeviceIndex>(index));
}

int32_t copy_text(const std::string& text, uint8_t* out, int32_t capacity) {
  int32_t length = static_cast<int32_t>(text.size());
  if (capacity > 0) need(out, capacity);
  if (capacity > 0) std::memcpy(out, text.data(), length < capacity ? length : capacity);
  return length;
}

}  // namespace aamt

using namespace aamt;

int32_t aamt_last_error(uint8_t* text, int32_t capacity, int32_t full) {
  AAMT_GUARD(return copy_text(full ? full_text() : last_text, text, capacity);)
}
