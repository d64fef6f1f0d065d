#!/usr/bin/env node
/**
 * The command `zabtree`. Plain JavaScript that even an old Node can parse, because its first job is to notice an old
 * Node: the SQLite binding would crash there without a word.
 *
 * In a clone of the repository it runs the TypeScript sources, on the runtime that the repository pins (npm package
 * `node`) when the one at hand is too old. In an installed package it runs the compiled JavaScript.
 */
import { spawn } from "child_process";
import { existsSync, realpathSync } from "fs";
import module from "module";
import { constants } from "os";
import { dirname, join, sep } from "path";
import { fileURLToPath, pathToFileURL } from "url";

const oldestNode = [22, 18];

const script = realpathSync(fileURLToPath(import.meta.url));
const root = dirname(dirname(script));
const version = process.versions.node.split(".").map(Number);
const tooOld = version[0] < oldestNode[0] || (version[0] === oldestNode[0] && version[1] < oldestNode[1]);
const pinnedNode = join(root, "node_modules", "node", "bin", process.platform === "win32" ? "node.exe" : "node");
const inClone = existsSync(join(root, "src", "cli", "main.ts")) && !root.split(sep).includes("node_modules");

if (!tooOld) {
  run();
} else if (inClone && existsSync(pinnedNode) && process.env.ZABTREE_WRAPPED !== "1") {
  runOnPinnedNode();
} else {
  const hint = inClone ? " Run `npm ci` (without NODE_ENV=production), which brings a suitable one along." : "";
  console.error(`zabtree needs Node.js ${oldestNode.join(".")} or newer; this is ${process.versions.node}.${hint}`);
  process.exitCode = 1;
}

function run() {
  if (process.env.ZABTREE_WRAPPED === "1" && process.channel) {
    // Started by runOnPinnedNode. A wrapper that dies without a signal to pass on was killed; so are we.
    process.once("disconnect", () => process.kill(process.pid, "SIGKILL"));
    process.channel.unref();
    delete process.env.ZABTREE_WRAPPED;
  }
  const main = inClone ? join(root, "src", "cli", "main.ts") : join(root, "dist", "cli", "main.js");
  if (!existsSync(main)) {
    console.error(`zabtree is not built: ${main} is missing.`);
    process.exitCode = 1;
    return;
  }
  // Compiling and stripping types is most of the time it takes to start; the cache lies in the system's temp directory.
  module.enableCompileCache?.();
  import(pathToFileURL(main).href).catch((error) => {
    console.error(error);
    process.exit(1);
  });
}

/** Runs the same command on the pinned runtime: same terminal, signals passed on, same way of ending. */
function runOnPinnedNode() {
  const child = spawn(pinnedNode, [...process.execArgv, script, ...process.argv.slice(2)], {
    stdio: ["inherit", "inherit", "inherit", "ipc"],
    env: { ...process.env, ZABTREE_WRAPPED: "1" },
  });
  // Ctrl-C reaches the whole process group: passing it on as well would deliver it twice.
  const own = process.stdin.isTTY ? ["SIGINT"] : [];
  for (const signal of ["SIGINT", "SIGTERM", "SIGHUP", "SIGUSR2"]) {
    process.on(signal, () => {
      if (!own.includes(signal)) child.kill(signal);
    });
  }
  child.on("error", (error) => {
    console.error(`zabtree cannot start ${pinnedNode}: ${error.message}`);
    process.exitCode = 1;
  });
  child.on("exit", (code, signal) => {
    process.exit(code === null ? 128 + constants.signals[signal] : code);
  });
}
