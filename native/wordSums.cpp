// Sums of rows of a table, one sum for each list of words: what `embedding_bag` computes in mode "sum", for
// the CPU and several times faster where lists are many and the table small. The backward pass is what gains:
// LibTorch's sorts all words first; here each thread adds up columns of its own, in the order of the lists,
// so that no two threads write to one place and the result is the same with any number of threads.
#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/library.h>
#include "internal.h"

// Compiled for several widths of vectors, the right one is taken when the library is loaded.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define AAMT_ALL_WIDTHS __attribute__((target_clones("avx512f", "avx2", "default"), optimize("O3")))
#else
#define AAMT_ALL_WIDTHS
#endif

namespace aamt {
namespace {

using at::Tensor;

// Columns at a time: a block of the table's columns stays in the cache while all lists pass.
constexpr int64_t kColumns = 128;

AAMT_ALL_WIDTHS void add_row(float* __restrict to, const float* __restrict from, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] += from[i];
}
AAMT_ALL_WIDTHS void add_row(double* __restrict to, const double* __restrict from, int64_t count) {
  for (int64_t i = 0; i < count; i++) to[i] += from[i];
}

// Runs `work(from, to)` on blocks of columns, a thread for each of several.
template <typename Work>
void on_columns(int64_t columns, const Work& work) {
  const int64_t blocks = (columns + kColumns - 1) / kColumns;
  at::parallel_for(0, blocks, 1, [&](int64_t first, int64_t last) {
    for (int64_t block = first; block < last; block++) {
      const int64_t from = block * kColumns;
      work(from, std::min(columns, from + kColumns));
    }
  });
}

Tensor sum_words(const Tensor& table, const Tensor& words) {
  const int64_t lists = words.size(0), width = words.size(1), columns = table.size(1);
  Tensor sums = at::zeros({lists, columns}, table.options());
  const int32_t* word = words.const_data_ptr<int32_t>();
  AT_DISPATCH_FLOATING_TYPES(table.scalar_type(), "word_sums", [&] {
    const auto* rows = table.const_data_ptr<scalar_t>();
    auto* out = sums.mutable_data_ptr<scalar_t>();
    on_columns(columns, [&](int64_t from, int64_t to) {
      for (int64_t list = 0; list < lists; list++)
        for (int64_t i = 0; i < width; i++)
          if (const int64_t row = word[list * width + i])
            add_row(out + list * columns + from, rows + row * columns + from, to - from);
    });
  });
  return sums;
}

Tensor spread_gradient(const Tensor& grad, const Tensor& words, int64_t rows) {
  const int64_t lists = words.size(0), width = words.size(1), columns = grad.size(1);
  Tensor result = at::zeros({rows, columns}, grad.options());
  const int32_t* word = words.const_data_ptr<int32_t>();
  AT_DISPATCH_FLOATING_TYPES(grad.scalar_type(), "word_sums_backward", [&] {
    const auto* given = grad.const_data_ptr<scalar_t>();
    auto* out = result.mutable_data_ptr<scalar_t>();
    on_columns(columns, [&](int64_t from, int64_t to) {
      for (int64_t list = 0; list < lists; list++)
        for (int64_t i = 0; i < width; i++)
          if (const int64_t row = word[list * width + i])
            add_row(out + row * columns + from, given + list * columns + from, to - from);
    });
  });
  return result;
}

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct WordSums : torch::autograd::Function<WordSums> {
  static Tensor forward(AutogradContext* context, const Tensor& table, const Tensor& words) {
    context->save_for_backward({words});
    context->saved_data["rows"] = table.size(0);
    return sum_words(table, words);
  }

  static variable_list backward(AutogradContext* context, const variable_list& grads) {
    TORCH_CHECK(!at::GradMode::is_enabled(), "word_sums has no second derivative");
    const auto saved = context->get_saved_variables();
    return {spread_gradient(grads[0].contiguous(), saved[0], context->saved_data["rows"].toInt()), Tensor()};
  }
};

Tensor word_sums(const Tensor& table, const Tensor& words) {
  TORCH_CHECK_VALUE(table.dim() == 2 && table.is_cpu() && at::isFloatingType(table.scalar_type()) && table.element_size() >= 4,
                    "word_sums takes a table [V, D] of float32 or float64 on the CPU");
  TORCH_CHECK_VALUE(words.dim() == 2 && words.is_cpu() && words.scalar_type() == at::kInt,
                    "word_sums takes words [U, W] of int32 on the CPU");
  const Tensor rows = table.contiguous(), lists = words.contiguous();
  if (lists.numel() > 0) {
    const auto [least, most] = at::aminmax(lists);
    TORCH_CHECK_VALUE(least.item<int32_t>() >= 0 && most.item<int32_t>() < rows.size(0), "word_sums takes words from 0 to ",
                      rows.size(0) - 1, ", not ", least.item<int32_t>(), " to ", most.item<int32_t>());
  }
  if (!at::GradMode::is_enabled()) return sum_words(rows, lists);
  return WordSums::apply(rows, lists);
}

}  // namespace

void define_word_sums(torch::Library& library) {
  library.def("word_sums(Tensor table, Tensor words) -> Tensor", &word_sums);
}

}  // namespace aamt
