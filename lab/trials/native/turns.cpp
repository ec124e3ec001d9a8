// Functions and hooks that ask, transforms, anomaly mode, the profiler, models and streams: in the
// right order, and out of it.
#include "driver.h"

namespace driver {

namespace {

// Answers every question with what it was given; how many there were.
int answer_all(int32_t status) {
  int questions = 0;
  while (status == 1) {
    double question[64];
    int32_t length = aamt_turn_question(question, 64);
    CHECK(length >= 5 && aamt_turn_question(question, 1) == length);
    questions++;
    double saved[4];
    if (question[0] == 0) {
      CHECK(aamt_turn_saved(saved, 4) == 1 && aamt_free(saved[0]) == 0);
      CHECK(question[3] == 1);
    } else {
      CHECK(aamt_turn_saved(saved, 4) < 0);
    }
    CHECK(aamt_turn_answer(&question[4], 1) == 1);
    CHECK(aamt_free(question[4]) == 0);
    status = aamt_turns_go_on(0);
  }
  CHECK(status == 0);
  return questions;
}

void functions() {
  CHECK(aamt_function_allowed() == 0 && aamt_turns_needed() == 0);
  double x = from_floats({1, 2}, {2});
  CHECK(aamt_set_requires_grad(x, 1) == 0);
  double raw = from_floats({3, 4}, {2});
  double id = aamt_turns_id();
  CHECK(id > 0 && aamt_turns_id() > id);
  double out;
  std::vector<double> packed{id, 1, 1, x, 1, raw, 0, 1, x, 0};
  CHECK(aamt_function_apply(packed.data(), static_cast<int32_t>(packed.size()), bytes_of("F"), 1, &out) == 1);
  for (int32_t length = 0; length < static_cast<int32_t>(packed.size()); length++)
    CHECK(aamt_function_apply(packed.data(), length, bytes_of("F"), 1, &out) < 0);
  CHECK(aamt_turns_needed() == 1);
  double hook = aamt_turns_id(), after = aamt_turns_id();
  CHECK(aamt_register_hook(out, hook, 0) == 0 && aamt_register_hook(raw, hook, 0) < 0);
  CHECK(aamt_register_hook(x, after, 1) == 0 && aamt_register_hook(out, after, 1) < 0);
  CHECK(aamt_retain_grad(out) == 0);
  double one = from_floats({1, 1}, {2});
  CHECK(answer_all(aamt_turns_start(&out, &one, 1, nullptr, 0, 1, 1, 0, 0)) == 3);
  CHECK(aamt_remove_hook(hook) == 1 && aamt_remove_hook(-1) == 0);
  CHECK(answer_all(aamt_turns_start(&out, &one, 1, &x, 1, 0, 1, 0, 0)) == 1);
  double gradient;
  CHECK(aamt_turns_results(&gradient, 1) == 1 && aamt_free(gradient) == 0 && aamt_turns_results(&gradient, 1) < 0);
  // A failed answer ends the pass.
  CHECK(aamt_turns_start(&out, &one, 1, &x, 1, 0, 1, 0, 0) == 1 && aamt_turns_go_on(1) < 0);
  double question[8];
  CHECK(aamt_turn_question(question, 8) < 0 && aamt_turn_answer(question, 0) < 0 && aamt_turns_go_on(0) < 0);
  double refused;
  CHECK(aamt_refuse_second_derivative(&one, 1, bytes_of("no"), 2, &refused) == 1);
  for (double handle : {x, raw, out, one, refused}) CHECK(aamt_free(handle) == 0);
  double ids[8];
  CHECK(aamt_turns_forgotten(ids, 8) >= 3 && aamt_turns_forgotten(ids, 8) == 0 && aamt_turns_needed() == 0);
}

void transforms() {
  double x = from_floats({1, 2, 3, 4}, {2, 2});
  double made, back;
  CHECK(aamt_transform_pop() < 0 && aamt_transform_wrap(0, x, 1, 0, 2, &made) < 0 && aamt_transform_push(9, 1, 0) < 0);
  int32_t level = aamt_transform_push(0, 2, 0);
  CHECK(level > 0 && aamt_function_allowed() < 0 && aamt_transform_push(0, 2, 7) < 0);
  CHECK(aamt_transform_wrap(0, x, level, 0, 2, &made) == 0 && aamt_transform_wrap(0, x, level, 5, 2, &back) < 0);
  CHECK(aamt_transform_wrap(1, made, level, 0, 2, &back) == 0 && aamt_transform_wrap(7, x, level, 0, 2, &back) < 0);
  CHECK(aamt_transform_pop() == level);
  CHECK(aamt_free(made) == 0 && aamt_free(back) == 0);
  level = aamt_transform_push(1, 0, 0);
  CHECK(aamt_transform_wrap(2, x, level, 0, 0, &made) == 0 && aamt_transform_wrap(4, made, level, 0, 0, &back) == 0);
  CHECK(aamt_transform_wrap(3, made, level, 0, 0, &back) == 0 && aamt_transform_pop() == level);
  for (double handle : {x, made, back}) CHECK(aamt_free(handle) == 0);
  CHECK(aamt_dual_level(1) == 0 && aamt_dual_level(0) == 0);
}

void seeing() {
  CHECK(aamt_anomaly_site(bytes_of("here"), 4, 1) == 0 && aamt_anomaly_site(nullptr, 0, 0) == 0);
  CHECK(aamt_anomaly_last(nullptr, 0) == 0);
  uint8_t text[64];
  CHECK(aamt_profiler_stop() < 0 && aamt_profiler_save(bytes_of("x"), 1) < 0 && aamt_profiler_mark(nullptr, 0) < 0);
  CHECK(aamt_profiler_start(0, 1, 1, 1) == 0 && aamt_profiler_start(0, 0, 0, 0) < 0);
  CHECK(aamt_profiler_mark(bytes_of("mark"), 4) == 1 && aamt_profiler_mark(nullptr, 0) == 0);
  CHECK(aamt_profiler_stop() == 0 && aamt_profiler_events(text, 64) > 0);
}

void models() {
  double result;
  uint8_t text[8];
  CHECK(aamt_jit_load(bytes_of("/none"), 5, 0, 0) < 0 && aamt_package_load(bytes_of("/none"), 5, -1) < 0);
  CHECK(aamt_package_run(1, nullptr, 0, &result, 1) < 0 && aamt_jit_free(1) == 0 && aamt_jit_methods(1, text, 8) < 0);
  CHECK(aamt_jit_call(1, bytes_of("f"), 1, nullptr, 0, nullptr, 0, &result, 1) < 0 && aamt_jit_state(1, 0, &result, 1) < 0);
  CHECK(aamt_jit_structure(text, 8) >= 0 && aamt_jit_train(1, 0) < 0);
}

// Without an accelerator all of it is an error.
void streams() {
  double out[2];
  double x = from_floats({1}, {1});
  bool none = aamt_accelerator(out) == 0;
  CHECK((aamt_stream(0, -1, 0, out) < 0) == none);
  if (none) {
    CHECK(aamt_stream_use(0, 0, out) < 0 && aamt_stream_synchronize(0, 0) < 0 && aamt_stream_query(0, 0) < 0);
    CHECK(aamt_record_stream(x, 0, 0) < 0 && aamt_event(1) < 0 && aamt_event_record(1, 0, 0) < 0 && aamt_event_wait(1, 0, 0) < 0);
    CHECK(aamt_graph() < 0);
  }
  CHECK(aamt_event_free(-1) == 0 && aamt_event_synchronize(-1) < 0 && aamt_event_query(-1) < 0 && aamt_event_elapsed(-1, -1, out) < 0);
  for (int32_t what : {0, 1, 2, 3}) CHECK(aamt_graph_do(-1, what) < 0);
  CHECK(aamt_free(x) == 0);
}

}  // namespace

void turns() {
  functions();
  transforms();
  seeing();
  models();
  streams();
}

}  // namespace driver
