/** bin/zabtree.js on a runtime that is too old: pretended, and with a stand-in for the pinned runtime. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { chmod, cp, mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, test } from "vitest";
import { root, run } from "../../scripts/lib.ts";

let folder: string;
const node = process.execPath;
const pretendOld = [
  "--import",
  'data:text/javascript,Object.defineProperty(process.versions, "node", { value: "20.20.2" })',
];

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zabtree-launcher-"));
  await cp(join(root, "bin"), join(folder, "bin"), { recursive: true });
  await mkdir(join(folder, "src/cli"), { recursive: true });
  await writeFile(join(folder, "package.json"), '{ "type": "module" }');
  await writeFile(join(folder, "src/cli/main.ts"), 'console.log("ran", process.argv.slice(2).join(" ") as string);\n');
});

afterAll(async () => {
  await rm(folder, { recursive: true });
});

/** Puts a shell script where the pinned runtime would be. */
async function pin(script: string): Promise<void> {
  const place = join(folder, "node_modules/node/bin");
  await mkdir(place, { recursive: true });
  await writeFile(join(place, "node"), `#!/bin/sh\n${script}\n`);
  await chmod(join(place, "node"), 0o755);
}

test("runs the sources of a clone", async () => {
  expect(await run([node, join(folder, "bin/zabtree.js"), "a", "b"])).toEqual({ code: 0, output: "ran a b\n" });
});

test("says what it needs on an old runtime", async () => {
  await rm(join(folder, "node_modules"), { recursive: true, force: true });
  const { code, output } = await run([node, ...pretendOld, join(folder, "bin/zabtree.js"), "a"]);
  expect(output).toMatch(/^zabtree needs Node\.js 22\.18 or newer; this is 20\.20\.2\. Run `npm ci` .*\n$/);
  expect(code).toBe(1);
});

test("goes over to the pinned runtime, with the arguments, and ends as it ends", async () => {
  await pin('echo "pinned $4 $5"; exit 7');
  const { code, output } = await run([node, ...pretendOld, join(folder, "bin/zabtree.js"), "a b", "c"]);
  expect(output).toBe("pinned a b c\n");
  expect(code).toBe(7);
});

test("does not go over twice", async () => {
  await pin(`exec ${node} "$@"`);
  const { code, output } = await run([node, ...pretendOld, join(folder, "bin/zabtree.js"), "a"]);
  expect(output).toContain("zabtree needs Node.js");
  expect(code).toBe(1);
});

test("passes signals on", async () => {
  await pin(`trap 'echo "got TERM"; exit 9' TERM; echo ready; while :; do sleep 0.05; done`);
  const child = spawn(node, [...pretendOld, join(folder, "bin/zabtree.js")], { stdio: ["ignore", "pipe", "inherit"] });
  let output = "";
  child.stdout.on("data", (chunk: Buffer) => {
    output += chunk.toString();
    if (output === "ready\n") child.kill("SIGTERM");
  });
  expect(await once(child, "close")).toEqual([9, null]);
  expect(output).toBe("ready\ngot TERM\n");
});

test("takes the pinned runtime down when it is killed itself", async () => {
  await writeFile(join(folder, "src/cli/main.ts"), "console.log(process.pid); setInterval(() => 1, 1000);\n");
  // The second --import puts the version right again.
  const real = `data:text/javascript,Object.defineProperty(process.versions, "node", { value: "${process.versions.node}" })`;
  await pin(`exec ${node} "$1" "$2" --import '${real}' "$3"`);
  const child = spawn(node, [...pretendOld, join(folder, "bin/zabtree.js")], { stdio: ["ignore", "pipe", "inherit"] });
  const [chunk] = (await once(child.stdout, "data")) as [Buffer];
  const inner = Number(chunk.toString());
  expect(inner).toBeGreaterThan(0);
  expect(inner).not.toBe(child.pid);
  child.kill("SIGKILL");
  // Its standard output closes when nobody holds it any more.
  await once(child.stdout, "close");
});
