// The C interface between Bun and LibTorch. Everything that crosses it is an int32, a double or a buffer that
// the caller owns for the duration of the call: no 64-bit integers, no strings to free, no callbacks.
//
// Status:   every function returns int32. 0 or more is success, less than 0 is an AAMT_ERR_* class, and the
//           text is then read with aamt_last_error. No C++ exception ever leaves the library.
// Handles:  a tensor or generator is named by a double that counts slot and generation; a stale or invented
//           handle is an error, never a crash, also when another thread frees the tensor at this moment. 0 is
//           "no tensor" where the function says so.
// Packing:  arguments and results travel as doubles: a tag, then its payload (see AAMT_TAG_*).
// Threads:  every function may be called from any thread; errors, grad mode and autocast are per thread.
#pragma once
#include <stdint.h>

#define AAMT_ABI 5
#define AAMT_EXPORT extern "C" __attribute__((visibility("default")))

// Error classes.
#define AAMT_ERR_OTHER -1
#define AAMT_ERR_INDEX -2
#define AAMT_ERR_VALUE -3
#define AAMT_ERR_TYPE -4
#define AAMT_ERR_NOT_IMPLEMENTED -5
#define AAMT_ERR_OUT_OF_MEMORY -6
#define AAMT_ERR_HANDLE -7
#define AAMT_ERR_ARGUMENT -8

// Tags of packed values. The payload follows the tag.
#define AAMT_TAG_NONE 0           // -
#define AAMT_TAG_TENSOR 1         // handle
#define AAMT_TAG_INT 2            // integer (also dtype, layout, memory format)
#define AAMT_TAG_DOUBLE 3         // number
#define AAMT_TAG_BOOL 4           // 0 or 1
#define AAMT_TAG_INT_LIST 5       // n, n integers
#define AAMT_TAG_TENSOR_LIST 6    // n, n handles
#define AAMT_TAG_OPTIONAL_TENSOR_LIST 7  // n, n handles, 0 is None
#define AAMT_TAG_DOUBLE_LIST 8    // n, n numbers
#define AAMT_TAG_STRING 9         // offset, length in the text buffer
#define AAMT_TAG_DEVICE 10        // device type, device index (-1: current)
#define AAMT_TAG_BOOL_LIST 11     // n, n times 0 or 1
#define AAMT_TAG_GENERATOR 12     // handle
#define AAMT_TAG_DEFAULT 13       // - (the schema's default value)
#define AAMT_TAG_SCALAR_LIST 14   // n, then n times (AAMT_TAG_INT | _DOUBLE | _BOOL, value)

// ---- library ------------------------------------------------------------------------------------
AAMT_EXPORT int32_t aamt_abi(void);
// JSON with the LibTorch version compiled against, the one running, the source hash, CUDA in the build.
// Returns the length; at most `capacity` bytes are written.
AAMT_EXPORT int32_t aamt_build_info(uint8_t* text, int32_t capacity);
// Copies the text of the last error of this thread; `full` != 0 adds the native
// backtrace. Returns its length.
AAMT_EXPORT int32_t aamt_last_error(uint8_t* text, int32_t capacity, int32_t full);

// ---- operators ----------------------------------------------------------------------------------
// Finds an operator, e.g. "aten::add", "Tensor". Returns its number (kept for the life of
// the process) or an error.
AAMT_EXPORT int32_t aamt_op_find(const uint8_t* name, int32_t name_length, const uint8_t* overload, int32_t overload_length);
// The schema text of operator `op`. Returns its length.
AAMT_EXPORT int32_t aamt_op_schema(int32_t op, uint8_t* text, int32_t capacity);
// All schema texts of the loaded library, one per line. Returns the length (call with capacity 0 first).
AAMT_EXPORT int32_t aamt_all_schemas(uint8_t* text, int32_t capacity);
// The kinds of the arguments of an operator that has a typed call, one letter each (native/typed.cpp), and
// their default values (NaN: none). Returns the length, 0 if there is no typed call.
AAMT_EXPORT int32_t aamt_op_pattern(int32_t op, uint8_t* text, int32_t capacity, double* defaults);
// Typed calls: every argument of the pattern is a double. They return the handle of the result (0: undefined,
// or an in-place operator), or a status below 0. The second form takes a list of integers as the argument
// after the first tensor, the third one of tensors as the first argument.
AAMT_EXPORT double aamt_call(int32_t op, double a, double b, double c, double d, double e);
AAMT_EXPORT double aamt_call_with_list(int32_t op, double self, const double* list, int32_t count, double b, double c, double d,
                                       double e);
AAMT_EXPORT double aamt_call_with_tensors(int32_t op, const double* handles, int32_t count, double b);
// Calls operator `op` with `length` doubles of packed arguments (fewer arguments than the schema has:
// defaults). Results are packed into `results`: scalars as above; a tensor as AAMT_TAG_TENSOR, handle, bytes
// it newly owns; a tensor list as AAMT_TAG_TENSOR_LIST, n, n times (handle, bytes). Returns the doubles
// needed; if that is more than `capacity`, fetch them with aamt_take_results. With `discard` != 0 nothing is
// returned (in-place operators).
AAMT_EXPORT int32_t aamt_op_call(int32_t op, const double* arguments, int32_t length, const uint8_t* text,
                                 int32_t text_length, double* results, int32_t capacity, int32_t discard);
// Copies what aamt_op_call could not return for lack of room. What is not fetched is freed
// with the next such result.
AAMT_EXPORT int32_t aamt_take_results(double* results, int32_t capacity);

// ---- tensors ------------------------------------------------------------------------------------
AAMT_EXPORT int32_t aamt_free(double handle);
// Frees `count` handles; stops at the first bad one with an error, the others before it being freed.
AAMT_EXPORT int32_t aamt_free_many(const double* handles, int32_t count);
// A second handle to the same tensor in result[0].
AAMT_EXPORT int32_t aamt_clone_handle(double handle, double* result);
// Live handles, and bytes of host memory that LibTorch's allocators hold for them is
// not known: only the count.
AAMT_EXPORT int32_t aamt_live_handles(double* result);
// out: [dtype, device type, device index, dim, numel, bytes, flags, layout, sizes.., strides..];
// flags: 1 requires_grad, 2 leaf, 4 contiguous, 8 defined gradient, 16 pinned, 32 inference, 64 view.
// Returns the doubles needed.
AAMT_EXPORT int32_t aamt_meta(double handle, double* out, int32_t capacity);
// A new contiguous CPU tensor filled with a copy of `bytes` bytes; result[0] is its handle.
AAMT_EXPORT int32_t aamt_from_host(const uint8_t* data, double bytes, int32_t dtype, const double* sizes, int32_t dim,
                                   int32_t pinned, double* result);
// Copies the tensor's values (made contiguous, on the CPU) to `data`, which must have exactly its byte count.
AAMT_EXPORT int32_t aamt_to_host(double handle, uint8_t* data, double bytes);
// Copies `bytes` bytes of `data` into a contiguous CPU tensor of exactly that size (an
// input buffer used again).
AAMT_EXPORT int32_t aamt_fill_from_host(double handle, const uint8_t* data, double bytes);
// The single value of a one-element tensor in result[0]; result[1] is its tag
// (AAMT_TAG_INT, _DOUBLE or _BOOL).
AAMT_EXPORT int32_t aamt_item(double handle, double* result);
// Makes the tensor's memory readable without a copy: result[0] = address, result[1] = bytes, result[2] = a
// handle that keeps it alive. CPU and contiguous tensors only.
AAMT_EXPORT int32_t aamt_view(double handle, double* result);
// Bytes that the tensor alone owns (0 for a view), which the collector is told of.
AAMT_EXPORT double aamt_owned_bytes(double handle);
// The collector's deallocator: its context is a handle, as a number, which is freed unless it has been freed
// already. The address is what bun:ffi needs.
AAMT_EXPORT void aamt_collect(void* memory, void* context);
AAMT_EXPORT void* aamt_collect_address(void);

// ---- autograd -----------------------------------------------------------------------------------
AAMT_EXPORT int32_t aamt_set_requires_grad(double handle, int32_t on);
AAMT_EXPORT int32_t aamt_grad(double handle, double* result);  // 0 where there is none
// The name of the graph's node that made the tensor, e.g. "AddBackward0"; empty for
// leaves. Returns its length.
AAMT_EXPORT int32_t aamt_grad_fn(double handle, uint8_t* text, int32_t capacity);
// The gradients of `count` tensors at once; clearing them.
AAMT_EXPORT int32_t aamt_grads(const double* handles, int32_t count, double* results);
AAMT_EXPORT int32_t aamt_clear_grads(const double* handles, int32_t count);
AAMT_EXPORT int32_t aamt_set_grad(double handle, double gradient);  // 0 clears
// Gradients of `count` tensors (0 for a default gradient of one) into leaves, or into
// `inputs` alone if given.
AAMT_EXPORT int32_t aamt_backward(const double* tensors, const double* gradients, int32_t count, int32_t retain_graph,
                                  int32_t create_graph, const double* inputs, int32_t input_count);
// d(outputs)/d(inputs) in results[0 .. input_count); 0 where unused (allowed only with allow_unused).
AAMT_EXPORT int32_t aamt_autograd_grad(const double* outputs, const double* gradients, int32_t count, const double* inputs,
                                       int32_t input_count, int32_t retain_graph, int32_t create_graph,
                                       int32_t allow_unused, double* results);
AAMT_EXPORT int32_t aamt_grad_enabled(void);
AAMT_EXPORT int32_t aamt_set_grad_enabled(int32_t on);
AAMT_EXPORT int32_t aamt_inference_mode_push(int32_t on);
AAMT_EXPORT int32_t aamt_inference_mode_pop(void);
AAMT_EXPORT int32_t aamt_anomaly_mode(int32_t on, int32_t check_nan);
// A segment whose inner values are not kept but computed again in the backward pass. Operators between
// `begin` and `end` run without recording gradients and are noted; `end` gives outputs (results[0 .. count))
// that stand for the segment in the graph. `abort` forgets it. Segments nest.
AAMT_EXPORT int32_t aamt_segment_begin(void);
AAMT_EXPORT int32_t aamt_segment_end(const double* outputs, int32_t count, double* results);
AAMT_EXPORT int32_t aamt_segment_abort(void);

// ---- functions and hooks written in JavaScript (turns.h, customFunction.cpp) --------------------
// While the graph has any of these, a backward pass runs on a thread beside (`aamt_turns_start`, otherwise as
// `aamt_backward` with `accumulate`, as `aamt_autograd_grad` without). Status 1: autograd asks a question;
// look at it, answer it, and go on, which gives the next status. 0: the pass is done. Answers may run
// backward passes of their own.
AAMT_EXPORT double aamt_turns_id(void);  // a number for a function call or hook, never given twice
AAMT_EXPORT int32_t aamt_turns_needed(void);
AAMT_EXPORT int32_t aamt_turns_start(const double* outputs, const double* gradients, int32_t count, const double* inputs,
                                     int32_t input_count, int32_t accumulate, int32_t retain_graph, int32_t create_graph,
                                     int32_t allow_unused);
// The question: [kind (0 function, 1 hook on a tensor, 2 hook after accumulating), id, tensors given,
// gradients asked for, the tensors' handles (0: none), for each gradient whether it is wanted]. Returns the
// length; asks again if capacity is less.
AAMT_EXPORT int32_t aamt_turn_question(double* out, int32_t capacity);
// what the asking function saved; returns the count
AAMT_EXPORT int32_t aamt_turn_saved(double* results, int32_t capacity);
// The answer (0 for no gradient); autograd goes on with `aamt_turns_go_on`, and fails there if so told.
AAMT_EXPORT int32_t aamt_turn_answer(const double* values, int32_t count);
AAMT_EXPORT int32_t aamt_turns_go_on(int32_t failed);
AAMT_EXPORT int32_t aamt_turns_results(double* results, int32_t count);  // of the last `grad` that was done
// Ids of functions and hooks that are gone from the graph: nothing asks for them any more. Returns
// the count; repeat until 0.
AAMT_EXPORT int32_t aamt_turns_forgotten(double* ids, int32_t capacity);
// an error where a function with a backward of its own can't be
AAMT_EXPORT int32_t aamt_function_allowed(void);
// A call of a function with a backward of its own, packed: id, whether missing gradients come as zeros, then
// counted lists: inputs, outputs (each with whether it has no gradient), tensors to save, inputs that were
// changed in place. results: the outputs, as they stand in the graph. Returns 1 if a node was made, 0 if
// nothing needs gradients.
AAMT_EXPORT int32_t aamt_function_apply(const double* packed, int32_t length, const uint8_t* name, int32_t name_length,
                                        double* results);
// Tensors of the same values whose derivative is an error with this text.
AAMT_EXPORT int32_t aamt_refuse_second_derivative(const double* tensors, int32_t count, const uint8_t* text, int32_t length,
                                                  double* results);
AAMT_EXPORT int32_t aamt_register_hook(double tensor, double id, int32_t accumulated);
AAMT_EXPORT int32_t aamt_remove_hook(double id);
AAMT_EXPORT int32_t aamt_retain_grad(double tensor);

// ---- transforms of torch.func (transforms.cpp) --------------------------------------------------
// Opens a level: 0 vmap (of so many examples; randomness 0 an error, 1 the same, 2 different for each), 1
// grad, 2 jvp. Returns it.
AAMT_EXPORT int32_t aamt_transform_push(int32_t kind, double batch_size, int32_t randomness);
AAMT_EXPORT int32_t aamt_transform_pop(void);
// 0: hides dimension `dim` as the level's batch; 1: the batch as dimension `dim` again (of `batch_size`
// where the tensor has none); 2: wraps for a grad or jvp level; 3: the tensor in it; 4: the wrapped tensor
// requires a gradient (result 0).
AAMT_EXPORT int32_t aamt_transform_wrap(int32_t how, double tensor, double level, double dim, double batch_size, double* result);
AAMT_EXPORT int32_t aamt_dual_level(int32_t enter);  // forward mode; there is one level

// ---- anomaly mode (anomaly.cpp) -----------------------------------------------------------------
// The place that calls of this thread stand at from now on; empty: anomaly mode is off.
AAMT_EXPORT int32_t aamt_anomaly_site(const uint8_t* text, int32_t length, int32_t check_nan);
// where the last node run stands; null forgets it
AAMT_EXPORT int32_t aamt_anomaly_last(uint8_t* text, int32_t capacity);

// ---- profiler (profiler.cpp) --------------------------------------------------------------------
AAMT_EXPORT int32_t aamt_profiler_start(int32_t accelerator, int32_t shapes, int32_t memory, int32_t flops);
// What is between a name and none is told under the name in the profile; nests.
AAMT_EXPORT int32_t aamt_profiler_mark(const uint8_t* name, int32_t length);
AAMT_EXPORT int32_t aamt_profiler_stop(void);
// JSON: of each event [name, start in ns, duration in ns, thread, device type, bytes, flops, correlation,
// linked correlation, shapes].
AAMT_EXPORT int32_t aamt_profiler_events(uint8_t* text, int32_t capacity);
AAMT_EXPORT int32_t aamt_profiler_save(const uint8_t* path, int32_t length);  // Chrome's trace format

// ---- models from Python (jit.cpp) ---------------------------------------------------------------
// Each load returns a number. Calls give the tensors of their result; `aamt_jit_structure` has the result as
// JSON, in which {"tensor": i} stands for the i-th of them.
AAMT_EXPORT int32_t aamt_jit_load(const uint8_t* path, int32_t length, int32_t device_type, int32_t device_index);
AAMT_EXPORT int32_t aamt_package_load(const uint8_t* path, int32_t length, int32_t device_index);
AAMT_EXPORT int32_t aamt_package_run(int32_t model, const double* inputs, int32_t count, double* results, int32_t capacity);
AAMT_EXPORT int32_t aamt_jit_free(int32_t model);
AAMT_EXPORT int32_t aamt_jit_methods(int32_t model, uint8_t* text, int32_t capacity);  // a schema per line
AAMT_EXPORT int32_t aamt_jit_call(int32_t model, const uint8_t* method, int32_t method_length, const double* arguments,
                                  int32_t length, const uint8_t* text, int32_t text_length, double* results, int32_t capacity);
AAMT_EXPORT int32_t aamt_jit_structure(uint8_t* text, int32_t capacity);
AAMT_EXPORT int32_t aamt_jit_state(int32_t model, int32_t buffers, double* results, int32_t capacity);
AAMT_EXPORT int32_t aamt_jit_train(int32_t model, int32_t on);

// ---- streams, events, graphs (streams.cpp) ------------------------------------------------------
// A stream is [id, device index]. 0 the current one, 1 the default one, 2 a new one.
AAMT_EXPORT int32_t aamt_stream(int32_t how, int32_t device, int32_t priority, double* out);
AAMT_EXPORT int32_t aamt_stream_use(double id, int32_t device, double* before);
AAMT_EXPORT int32_t aamt_stream_synchronize(double id, int32_t device);
AAMT_EXPORT int32_t aamt_stream_query(double id, int32_t device);
AAMT_EXPORT int32_t aamt_record_stream(double tensor, double id, int32_t device);
AAMT_EXPORT int32_t aamt_event(int32_t timing);
AAMT_EXPORT int32_t aamt_event_free(int32_t event);
AAMT_EXPORT int32_t aamt_event_record(int32_t event, double id, int32_t device);
AAMT_EXPORT int32_t aamt_event_wait(int32_t event, double id, int32_t device);
AAMT_EXPORT int32_t aamt_event_synchronize(int32_t event);
AAMT_EXPORT int32_t aamt_event_query(int32_t event);
AAMT_EXPORT int32_t aamt_event_elapsed(int32_t start, int32_t end, double* milliseconds);
AAMT_EXPORT int32_t aamt_graph(void);
// 0 begin to capture, 1 end, 2 replay, 3 reset, 4 free
AAMT_EXPORT int32_t aamt_graph_do(int32_t graph, int32_t what);

// ---- autocast -----------------------------------------------------------------------------------
// previous: [enabled, dtype, cache enabled] before the call. `enter` != 0 opens a
// nesting level, else closes it.
AAMT_EXPORT int32_t aamt_autocast(int32_t device_type, int32_t enabled, int32_t dtype, int32_t cache, int32_t enter,
                                  double* previous);

// ---- random numbers -----------------------------------------------------------------------------
AAMT_EXPORT int32_t aamt_manual_seed(double seed);
// A new generator on a device, or the device's default one.
AAMT_EXPORT int32_t aamt_generator(int32_t device_type, int32_t device_index, int32_t is_default, double* result);
AAMT_EXPORT int32_t aamt_generator_free(double generator);
AAMT_EXPORT int32_t aamt_generator_seed(double generator, double seed);
AAMT_EXPORT int32_t aamt_generator_initial_seed(double generator, double* result);
AAMT_EXPORT int32_t aamt_generator_state(double generator, double* result);      // a uint8 tensor
AAMT_EXPORT int32_t aamt_generator_set_state(double generator, double state);

// ---- machine ------------------------------------------------------------------------------------
AAMT_EXPORT int32_t aamt_threads(int32_t count, int32_t interop);  // 0: only ask. Returns the count in force.
AAMT_EXPORT int32_t aamt_set_interop_threads(int32_t count);
AAMT_EXPORT int32_t aamt_deterministic(int32_t on, int32_t warn_only);  // -1: only ask. Returns the state.
AAMT_EXPORT int32_t aamt_flush_denormal(int32_t on);
// 0 highest, 1 high (TF32), 2 medium, -1: only ask. Returns the precision in force.
AAMT_EXPORT int32_t aamt_float32_matmul_precision(int32_t precision);
AAMT_EXPORT int32_t aamt_cudnn_tf32(int32_t on);  // -1: only ask
// 0 flash 1 memory-efficient 2 math 3 cudnn; on -1: ask
AAMT_EXPORT int32_t aamt_sdp_kernel(int32_t kernel, int32_t on);
// The accelerator's device type (c10::DeviceType) or 0 (CPU) if there is none; count in result[0].
AAMT_EXPORT int32_t aamt_accelerator(double* result);
AAMT_EXPORT int32_t aamt_synchronize(int32_t device_index);
AAMT_EXPORT int32_t aamt_device_index(int32_t set);  // -1: only ask. Returns the current device.
AAMT_EXPORT int32_t aamt_empty_cache(void);
// out: [allocated now, allocated peak, reserved now, reserved peak, free, total] in bytes.
AAMT_EXPORT int32_t aamt_device_memory(int32_t device_index, double* out);
AAMT_EXPORT int32_t aamt_reset_peak_memory(int32_t device_index);

// ---- process groups -----------------------------------------------------------------------------
// One group at a time, of all ranks; collectives are operators of `_c10d_functional`
// with the group name "aamt".
#define AAMT_GROUP_NCCL 2       // NCCL for CUDA tensors
#define AAMT_GROUP_GLOO_CUDA 4  // gloo for CUDA tensors, over the host
#define AAMT_GROUP_CHECKED 8    // ranks compare what they are about to do before every collective
// 0: built without process groups; else 1, and AAMT_GROUP_NCCL where NCCL is in the build.
AAMT_EXPORT int32_t aamt_group_available(void);
// Serves a store on `port` (0: any free one) for as long as this process lives. Returns the port.
AAMT_EXPORT int32_t aamt_store_serve(int32_t port);
// Joins the group at the store of host:port, which is served here if `serve` != 0; keys of the store begin
// with `prefix`. `backends` are the flags above; `timeout_ms` bounds the meeting of the ranks and every
// collective. Fails with a sentence that names the ranks that are not there in time.
AAMT_EXPORT int32_t aamt_group_open(const uint8_t* host, int32_t host_length, int32_t port, int32_t rank, int32_t size,
                                    int32_t serve, const uint8_t* prefix, int32_t prefix_length, int32_t backends,
                                    double timeout_ms);
AAMT_EXPORT int32_t aamt_group_close(void);  // harmless without a group
// Stores a text under a key unless there is one; copies what is stored then. Returns its length.
AAMT_EXPORT int32_t aamt_group_post(const uint8_t* key, int32_t key_length, const uint8_t* value, int32_t value_length,
                                    uint8_t* out, int32_t capacity);
// Copies the text stored under a key, without waiting. Returns its length, 0 if there is none.
AAMT_EXPORT int32_t aamt_group_read(const uint8_t* key, int32_t key_length, uint8_t* out, int32_t capacity);
// Listens for one and a half seconds. Returns how many other ranks gave no sign of life, the first `capacity`
// of which are in `ranks`; an error if the store itself does not answer.
AAMT_EXPORT int32_t aamt_group_silent(double* ranks, int32_t capacity);

// The CPU's caching allocator. out: [allocated, allocated peak, cached, limit of the cache] in bytes; blocks
// below 64 KiB are not counted.
AAMT_EXPORT int32_t aamt_cpu_memory(double* out);
AAMT_EXPORT int32_t aamt_cpu_memory_reset_peak(void);
AAMT_EXPORT int32_t aamt_cpu_cache_limit(double bytes);
AAMT_EXPORT int32_t aamt_cpu_empty_cache(void);
