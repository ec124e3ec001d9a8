/**
 * Refuses functions that go on after an await: a mode of the thread would end too early.
 * @throws TypeError for a promise.
 */
export function synchronous<T>(name: string, result: T): T {
  if (result instanceof Promise) throw new TypeError(`${name}: the function must not be asynchronous`);
  return result;
}
