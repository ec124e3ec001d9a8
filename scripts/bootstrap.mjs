// The first step of `npm start`, `npm test` and `npm run setup`: plain JavaScript that Node.js or
// Bun runs with nothing installed. It brings the packages, finds the pinned Bun, and hands over to
// the TypeScript beside it.

import { spawn, spawnSync } from "node:child_process";
import { createHash } from "node:crypto";
import { existsSync, readdirSync, readFileSync, writeFileSync } from "node:fs";
import { constants } from "node:os";
import { delimiter, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";

const root = resolve(dirname(fileURLToPath(import.meta.url)), "..");
const modules = join(root, "node_modules");
const stampFile = join(modules, ".installed-lockfile");
const oldestBun = [1, 4];

/** What each subcommand runs after the set-up. */
const handOver = { setup: [], demo: ["scripts/demo.ts"], test: ["scripts/test.ts"] };

function fail(sentence) {
  console.error(`Error: ${sentence}`);
  process.exit(1);
}

function isOnPath(name) {
  return (process.env.PATH ?? "").split(delimiter).some((folder) => folder && existsSync(join(folder, name)));
}

function lockfileHash() {
  return createHash("sha256")
    .update(readFileSync(join(root, "package-lock.json")))
    .digest("hex");
}

function installPackages() {
  const hash = lockfileHash();
  if (existsSync(stampFile) && readFileSync(stampFile, "utf8") === hash) return;
  let command;
  if (isOnPath("npm")) {
    // `npm ci` starts from nothing; where packages are there already, only what differs is brought.
    command = existsSync(modules) ? ["npm", "install", "--no-save"] : ["npm", "ci"];
    command.push("--no-audit", "--no-fund");
  } else if (process.versions.bun || isOnPath("bun")) {
    command = [process.versions.bun ? process.execPath : "bun", "install", "--no-save"];
  } else {
    fail(
      "Neither npm nor Bun is on the PATH: install Node.js 20 or newer (it brings npm), then start again.",
    );
  }
  console.error("Installing the packages");
  const { status, error } = spawnSync(command[0], command.slice(1), { cwd: root, stdio: ["ignore", 2, 2] });
  if (error || status !== 0) {
    fail(`\`${command.join(" ")}\` failed (its messages are above): check the network, then start again.`);
  }
  writeFileSync(stampFile, hash);
}

function isUsableBun(path) {
  const { status, stdout } = spawnSync(path, ["--version"], { encoding: "utf8" });
  if (status !== 0) return false;
  const [major, minor] = stdout.trim().split(".").map(Number);
  return major > oldestBun[0] || (major === oldestBun[0] && minor >= oldestBun[1]);
}

/**
 * The pinned Bun; where its package's install script has not run (npm may refuse it), that is made good here.
 */
function findBun() {
  const pinned = join(modules, ".bin/bun");
  if (isUsableBun(pinned)) return pinned;
  const installer = join(modules, "bun/install.js");
  if (existsSync(installer)) {
    spawnSync(process.execPath, [installer], { cwd: dirname(installer), stdio: "ignore" });
    if (isUsableBun(pinned)) return pinned;
  }
  const builds = join(modules, "@oven");
  const shipped = existsSync(builds) ? readdirSync(builds).map((name) => join(builds, name, "bin/bun")) : [];
  const others = [process.versions.bun ? process.execPath : "", ...(process.env.PATH ?? "").split(delimiter)]
    .filter(Boolean)
    .map((place) => (place === process.execPath ? place : join(place, "bun")));
  const found = [...shipped, ...others].find((path) => existsSync(path) && isUsableBun(path));
  if (found) return found;
  fail(
    `No Bun ${oldestBun.join(".")} or newer can be run: remove node_modules and start again, ` +
      "or install Bun and see that it is on the PATH.",
  );
}

/** Runs a script to its end; an interrupt reaches it by itself, as it shares the terminal. */
function runScript(bun, script, args) {
  return new Promise((done) => {
    const path = [join(modules, ".bin"), process.env.PATH].filter(Boolean).join(delimiter);
    const child = spawn(bun, [join(root, script), ...args], {
      stdio: "inherit",
      env: { ...process.env, PATH: path },
    });
    process.on("SIGINT", () => {});
    process.on("SIGTERM", () => child.kill("SIGTERM"));
    child.on("error", (error) => fail(`Bun at ${bun} cannot be started: ${error.message}.`));
    child.on("close", (code, signal) => done(signal ? 128 + constants.signals[signal] : (code ?? 1)));
  });
}

const [subcommand = "setup", ...args] = process.argv.slice(2);
if (!Object.hasOwn(handOver, subcommand)) {
  fail(`Unknown subcommand ${subcommand}: expected one of ${Object.keys(handOver).join(", ")}.`);
}
installPackages();
const bun = findBun();
let code = await runScript(bun, "scripts/setup.ts", []);
for (const script of handOver[subcommand]) {
  if (code === 0) code = await runScript(bun, script, args);
}
process.exitCode = code;
