import { UserError } from "../../common/userError.ts";

/** The C++ compiler: CXX when set (it may hold options), else the first of g++, c++ and clang++. */
export function findCompiler(): string[] {
  const given = process.env["CXX"]?.trim();
  if (given) {
    const command = given.split(/\s+/);
    if (Bun.which(command[0] ?? "") === null) {
      throw new UserError(
        `The compiler that CXX names, ${command[0]}, does not exist; correct or unset CXX.`,
      );
    }
    return command;
  }
  for (const name of ["g++", "c++", "clang++"]) if (Bun.which(name) !== null) return [name];
  const install =
    process.platform === "darwin"
      ? "`xcode-select --install`"
      : "`apt-get install g++` (Debian, Ubuntu) or `dnf install gcc-c++` (Fedora)";
  throw new UserError(
    `No C++ compiler was found on the PATH: install one with ${install}, then start again.`,
  );
}

/** The first few errors that a compiler printed, without the templates' long trails. */
export function firstErrors(output: string, count = 5): string {
  const lines = output.split("\n").filter((line) => line.trim() !== "");
  const errors = lines.filter((line) =>
    /\b(fatal )?error\b|undefined reference|multiple definition|cannot find/i.test(line),
  );
  return (errors.length > 0 ? errors : lines).slice(0, count).join("\n");
}
