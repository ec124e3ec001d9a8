/**
 * A mistake of the user's (a wrong file, a wrong option), told in one sentence that names the
 * file, the place, what was expected and the cure. Commands print the message alone, without a
 * stack trace, and exit with 1.
 */
export class UserError extends Error {
  override name = "UserError";
}
