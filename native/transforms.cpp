// The transforms of torch.func: levels of LibTorch's interpreter stack, and tensors wrapped for a level.
#include <ATen/functorch/BatchedTensorImpl.h>
#include <ATen/functorch/DynamicLayer.h>
#include <ATen/functorch/TensorWrapper.h>
#include <c10/core/AutogradState.h>
#include <torch/csrc/autograd/forward_grad.h>
#include "internal.h"

using namespace aamt;
using namespace at::functorch;

namespace {
// Levels of this thread's that are open, so that only what was pushed is popped.
thread_local int32_t open_levels = 0;

at::Tensor move_first(const at::Tensor& tensor, int64_t from, int64_t to) {
  int64_t dim = tensor.dim();
  if (to < 0) to += dim;
  if (to < 0 || to >= dim)
    throw ShimError(AAMT_ERR_INDEX, "vmap: outDims is out of range for a result of " + std::to_string(dim) + " dimensions");
  return from == to ? tensor : tensor.movedim(from, to);
}

at::Tensor remove_batch_dim(const at::Tensor& tensor, int64_t level, int64_t batch_size, int64_t out_dim) {
  auto* batched = maybeGetBatchedImpl(tensor);
  if (batched == nullptr || batched->level() < level) {
    // It does not depend on the batch: every example has the same.
    std::vector<int64_t> sizes(tensor.sizes().begin(), tensor.sizes().end());
    sizes.insert(sizes.begin(), batch_size);
    return move_first(tensor.unsqueeze(0).expand(sizes), 0, out_dim);
  }
  if (batched->level() != level) throw ShimError(AAMT_ERR_ARGUMENT, "vmap: a tensor of an inner vmap has escaped from it");
  return move_first(batched->value(), batched->bdim(), out_dim);
}
}  // namespace

int32_t aamt_transform_push(int32_t kind, double batch_size, int32_t randomness) {
  AAMT_GUARD({
    forbid_while_recording("a transform of torch.func");
    int64_t level;
    if (kind == 0) {
      if (randomness < 0 || randomness > 2) throw ShimError(AAMT_ERR_ARGUMENT, "no such randomness");
      auto type = randomness == 0 ? RandomnessType::Error : randomness == 1 ? RandomnessType::Same : RandomnessType::Different;
      level = initAndPushDynamicLayer(TransformType::Vmap, c10::SymInt(integer(batch_size)), type);
    } else if (kind == 1) {
      level = initAndPushDynamicLayer(TransformType::Grad, std::nullopt, std::nullopt, at::GradMode::is_enabled());
    } else if (kind == 2) {
      bool forward_mode = c10::AutogradState::get_tls_state().get_fw_grad_mode();
      level = initAndPushDynamicLayer(TransformType::Jvp, std::nullopt, std::nullopt, std::nullopt, forward_mode);
    } else {
      throw ShimError(AAMT_ERR_ARGUMENT, "no such transform");
    }
    open_levels++;
    return static_cast<int32_t>(level);
  })
}

int32_t aamt_transform_pop(void) {
  AAMT_GUARD({
    if (open_levels == 0) throw ShimError(AAMT_ERR_ARGUMENT, "no transform is open");
    open_levels--;
    return static_cast<int32_t>(popDynamicLayerAndDeleteMetadata().layerId());
  })
}

int32_t aamt_transform_wrap(int32_t how, double handle, double level, double dim, double batch_size, double* result) {
  AAMT_GUARD({
    need(result, 1);
    at::Tensor tensor = tensor_of(handle);
    int64_t at_level = integer(level);
    if (open_levels == 0) throw ShimError(AAMT_ERR_ARGUMENT, "no transform is open");
    switch (how) {
      case 0: {
        int64_t at_dim = integer(dim);
        if (at_dim < 0 || at_dim >= tensor.dim()) throw ShimError(AAMT_ERR_INDEX, "vmap: inDims is out of range");
        result[0] = keep(addBatchDim(tensor, at_dim, at_level));
        return 0;
      }
      case 1:
        result[0] = keep(remove_batch_dim(tensor, at_level, integer(batch_size), integer(dim)));
        return 0;
      case 2:
        result[0] = keep(makeTensorWrapper(tensor, at_level));
        return 0;
      case 3: {
        auto* wrapper = maybeGetTensorWrapper(tensor);
        bool own = wrapper != nullptr && wrapper->level() && *wrapper->level() == at_level;
        result[0] = keep(own ? wrapper->value() : tensor);
        return 0;
      }
      case 4: {
        bool before = getInplaceRequiresGradAllowed();
        setInplaceRequiresGradAllowed(true);
        try {
          tensor.requires_grad_();
        } catch (...) {
          setInplaceRequiresGradAllowed(before);
          throw;
        }
        setInplaceRequiresGradAllowed(before);
        result[0] = 0;
        return 0;
      }
      default:
        throw ShimError(AAMT_ERR_ARGUMENT, "no such wrapping");
    }
  })
}

int32_t aamt_dual_level(int32_t enter) {
  AAMT_GUARD({
    if (enter) {
      forbid_while_recording("forward-mode differentiation");
      return static_cast<int32_t>(torch::autograd::ForwardADLevel::get_next_idx());
    }
    torch::autograd::ForwardADLevel::release_idx(0);
    return 0;
  })
}
