import { Tensor } from "../core/tensor.ts";
import { check, nativeError, shim } from "../native/library.ts";
import { failedPlace } from "./anomaly.ts";

/** What answers when autograd meets a function or hook of JavaScript's: gradients in, gradients out. */
type Answer = (
  given: (Tensor | null)[],
  wanted: readonly boolean[],
) => readonly (Tensor | null | undefined)[];

const answers = new Map<number, Answer>();
const forgotten = new Float64Array(new ArrayBuffer(1024));
let question = new Float64Array(new ArrayBuffer(8 * 256));

/** A number under which autograd asks `answer`. It is let go once the graph has no use for it any more. */
export function newAsker(answer: Answer): number {
  forgetUnused();
  const id = shim.aamt_turns_id();
  answers.set(id, answer);
  return id;
}

/** Lets go of an answer that nothing asks for. */
export function dropAsker(id: number): void {
  answers.delete(id);
}

function forgetUnused(): void {
  for (;;) {
    const count = check(shim.aamt_turns_forgotten(forgotten, forgotten.length));
    for (let i = 0; i < count; i++) answers.delete(forgotten[i]);
    if (count < forgotten.length) return;
  }
}

/** How many answers are held for graphs that are alive. */
export function countAskers(): number {
  forgetUnused();
  return answers.size;
}

/** Answers the question that waits; throws what the answer throws. */
function answerQuestion(): void {
  let length = check(shim.aamt_turn_question(question, question.length));
  if (length > question.length) {
    question = new Float64Array(new ArrayBuffer(8 * 2 * length));
    length = check(shim.aamt_turn_question(question, question.length));
  }
  const [, id, given, wanted] = question;
  // The buffer is read to its end before anything runs that could ask again.
  const gradients = Array.from(question.subarray(4, 4 + given), (handle) =>
    handle === 0 ? null : Tensor.fromHandle(handle, 0),
  );
  const needs = Array.from(question.subarray(4 + given, 4 + given + wanted), (flag) => flag !== 0);
  const answer = answers.get(id);
  if (!answer) throw new Error("autograd asks for a function that is gone");
  const found = answer(gradients, needs);
  const handles = new Float64Array(Math.max(found.length, 1));
  found.forEach((tensor, i) => {
    handles[i] = tensor ? tensor.handle : 0;
  });
  check(shim.aamt_turn_answer(handles, found.length), "backward");
}

/**
 * Goes on from a status of `aamt_turns_start` until the pass is done.
 * @throws what a function or hook threw, or LibTorch's error.
 */
export function takeTurns(started: number, what: string): void {
  let thrown: { error: unknown } | null = null;
  let status = started;
  while (status === 1) {
    let failed = 0;
    try {
      answerQuestion();
    } catch (error) {
      thrown ??= { error };
      failed = 1;
    }
    status = shim.aamt_turns_go_on(failed);
  }
  forgetUnused();
  if (status === 0) return;
  if (thrown) throw thrown.error;
  throw nativeError(status, what, failedPlace());
}

/** Whether anything in any graph needs JavaScript: then a pass has to take turns. */
export function turnsNeeded(): boolean {
  return shim.aamt_turns_needed() === 1;
}
