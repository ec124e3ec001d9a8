// Moving values between JavaScript's memory and tensors, and what a tensor says about itself.
#include <cstring>
#include "internal.h"

using namespace aamt;

namespace {
constexpr int32_t kMostDimensions = 1000;

std::vector<int64_t> sizes_of(const double* sizes, int32_t dim) {
  need(sizes, dim);
  if (dim > kMostDimensions) throw ShimError(AAMT_ERR_ARGUMENT, "a tensor of " + std::to_string(dim) + " dimensions");
  std::vector<int64_t> list(dim);
  for (int32_t i = 0; i < dim; i++) {
    list[i] = integer(sizes[i]);
    if (list[i] < 0) throw ShimError(AAMT_ERR_ARGUMENT, "a size is negative");
  }
  return list;
}

// In double precision, so that no product overflows; exact as far as memory reaches.
double bytes_of(const std::vector<int64_t>& sizes, at::ScalarType dtype) {
  double bytes = static_cast<double>(c10::elementSize(dtype));
  for (int64_t size : sizes) bytes *= static_cast<double>(size);
  return bytes;
}

void check_bytes(double needed, double given, const void* data) {
  if (needed != given)
    throw ShimError(AAMT_ERR_ARGUMENT, "the buffer has " + std::to_string(given) + " bytes, the tensor " + std::to_string(needed));
  need(data, given);
}
}  // namespace

int32_t aamt_meta(double handle, double* out, int32_t capacity) {
  AAMT_GUARD({
    const at::Tensor t = tensor_of(handle);
    int32_t dim = static_cast<int32_t>(t.dim());
    bool strided = t.layout() == at::kStrided;
    int32_t needed = 8 + 2 * dim;
    if (capacity < needed) return needed;
    need(out, capacity);
    out[0] = static_cast<double>(t.scalar_type());
    out[1] = static_cast<double>(t.device().type());
    out[2] = static_cast<double>(t.device().index());
    out[3] = dim;
    out[4] = static_cast<double>(t.numel());
    out[5] = strided ? static_cast<double>(t.nbytes()) : 0;
    out[6] = (t.requires_grad() ? 1 : 0) | (t.is_leaf() ? 2 : 0) | (strided && t.is_contiguous() ? 4 : 0) |
             (t.is_leaf() && t.grad().defined() ? 8 : 0) | (t.is_inference() ? 32 : 0) | (t.is_view() ? 64 : 0);
    out[7] = static_cast<double>(t.layout());
    for (int32_t i = 0; i < dim; i++) {
      out[8 + i] = static_cast<double>(t.size(i));
      out[8 + dim + i] = strided ? static_cast<double>(t.stride(i)) : 0;
    }
    return needed;
  })
}

int32_t aamt_from_host(const uint8_t* data, double bytes, int32_t dtype, const double* sizes, int32_t dim, int32_t pinned,
                       double* result) {
  AAMT_GUARD({
    need(result, 1);
    auto options = at::TensorOptions().dtype(dtype_of(dtype)).pinned_memory(pinned != 0);
    auto shape = sizes_of(sizes, dim);
    check_bytes(bytes_of(shape, dtype_of(dtype)), bytes, data);
    at::Tensor tensor = at::empty(shape, options);
    if (bytes > 0) std::memcpy(tensor.data_ptr(), data, static_cast<size_t>(bytes));
    result[0] = keep(std::move(tensor));
    return 0;
  })
}

int32_t aamt_to_host(double handle, uint8_t* data, double bytes) {
  AAMT_GUARD({
    at::Tensor t = tensor_of(handle).detach().to(at::kCPU).resolve_conj().resolve_neg().contiguous();
    check_bytes(static_cast<double>(t.nbytes()), bytes, data);
    if (bytes > 0) std::memcpy(data, t.data_ptr(), static_cast<size_t>(bytes));
    return 0;
  })
}

int32_t aamt_fill_from_host(double handle, const uint8_t* data, double bytes) {
  AAMT_GUARD({
    at::Tensor t = tensor_of(handle);
    forbid_if_recorded(t, "fillFrom");
    if (!t.device().is_cpu() || !t.is_contiguous()) throw ShimError(AAMT_ERR_ARGUMENT, "only a contiguous CPU tensor can be filled");
    check_bytes(static_cast<double>(t.nbytes()), bytes, data);
    if (bytes > 0) std::memcpy(t.data_ptr(), data, static_cast<size_t>(bytes));
    return 0;
  })
}

int32_t aamt_item(double handle, double* result) {
  AAMT_GUARD({
    need(result, 2);
    at::Scalar value = tensor_of(handle).item();
    if (value.isComplex()) throw ShimError(AAMT_ERR_TYPE, "a complex value has no number in JavaScript");
    result[1] = value.isBoolean() ? AAMT_TAG_BOOL : value.isIntegral(false) ? AAMT_TAG_INT : AAMT_TAG_DOUBLE;
    result[0] = value.toDouble();
    return 0;
  })
}

int32_t aamt_view(double handle, double* result) {
  AAMT_GUARD({
    need(result, 3);
    at::Tensor t = tensor_of(handle);
    if (!t.device().is_cpu() || t.layout() != at::kStrided || !t.is_contiguous() || t.is_neg() || t.is_conj())
      throw ShimError(AAMT_ERR_ARGUMENT, "only a contiguous CPU tensor can be seen without a copy");
    result[0] = static_cast<double>(reinterpret_cast<uintptr_t>(t.data_ptr()));
    result[1] = static_cast<double>(t.nbytes());
    result[2] = keep(t);
    return 0;
  })
}
