/** The package as users get it: packed, installed into a project of its own, started, called. */
import { spawn, type ChildProcess } from "node:child_process";
import { once } from "node:events";
import { mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { afterAll, beforeAll, expect, test } from "vitest";
import { must, root, run } from "../../scripts/lib.ts";

let folder: string;
let project: string;
let packed: readonly string[];

const node = process.execPath;
const installed = (): string => join(project, "node_modules", "zabtree");
const command = (): string => join(installed(), "bin", "zabtree.js");

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "zabtree-pack-"));
  project = join(folder, "project");
  await mkdir(project);
  // The compiler first and npm without scripts: so nothing but the listing is printed.
  await must(["node", "scripts/build.ts"]);
  const listing = await must(["npm", "pack", "--json", "--silent", "--ignore-scripts", "--pack-destination", folder]);
  const [tarball] = packList(listing);
  packed = tarball.files.map((file) => file.path);
  await writeFile(join(project, "package.json"), '{ "name": "user", "version": "1.0.0", "type": "module" }\n');
  const flags = ["--ignore-scripts", "--prefer-offline", "--no-audit", "--no-fund", "--silent"];
  await must(["npm", "install", ...flags, join(folder, tarball.filename)], { cwd: project });
}, 180_000);

afterAll(async () => {
  await rm(folder, { recursive: true, force: true });
});

interface Tarball {
  readonly filename: string;
  readonly files: readonly { readonly path: string }[];
}

/** npm prints an array, newer ones an object keyed by the package. */
function packList(listing: string): [Tarball] {
  const parsed = JSON.parse(listing.slice(listing.search(/[[{]/))) as Tarball[] | Record<string, Tarball>;
  const [first] = Object.values(parsed);
  if (first === undefined) throw new Error(listing);
  return [first];
}

test("holds what is needed and nothing else", () => {
  for (const name of ["bin/zabtree.js", "dist/cli/main.js", "dist/client/index.d.ts", "dist/server/index.js"]) {
    expect(packed).toContain(name);
  }
  expect(packed).toContain("proto/zabtree/v1/tree.proto");
  expect(packed).toContain("gen/ts/zabtree/v1/tree_pb.js");
  const allowed = /^(bin\/zabtree\.js|dist\/.+\.(js|d\.ts)|gen\/ts\/.+|proto\/.+\.proto|README\.md|package\.json)$/;
  expect(packed.filter((name) => !allowed.test(name) || name.includes(".test."))).toEqual([]);
});

test("no import in it leads to TypeScript or out of the package", async () => {
  for (const name of packed.filter((path) => path.startsWith("dist/") && path.endsWith(".js"))) {
    const text = await readFile(join(installed(), name), "utf8");
    expect(
      [...text.matchAll(/\bfrom "(\.[^"]*\.ts)"/g)].map((match) => match[1]),
      name,
    ).toEqual([]);
  }
});

test("tells its version", async () => {
  const { version } = JSON.parse(await readFile(join(root, "package.json"), "utf8")) as { version: string };
  expect((await must([node, command(), "--version"], { cwd: project })).trim()).toContain(version);
});

test("serves, and its own command line creates and reads", async () => {
  const server = spawn(
    node,
    [command(), "serve", "--data", "data", "--listen", "127.0.0.1:0", "--http", "127.0.0.1:0"],
    {
      cwd: project,
      stdio: ["ignore", "pipe", "inherit"],
    },
  );
  try {
    const env = { ZABTREE_SERVERS: await address(server) };
    await must([node, command(), "create", "/packed", "some data"], { cwd: project, env });
    expect(await must([node, command(), "get", "/packed"], { cwd: project, env })).toMatch(/^some data\n?$/);
  } finally {
    server.kill("SIGTERM");
  }
  const [code] = (await once(server, "exit")) as [number | null];
  expect(code).toBe(0);
}, 60_000);

test("can be imported, and the embedded server talks to the client", async () => {
  await writeFile(
    join(project, "use.js"),
    `import { connect } from "zabtree";
     import { startServer } from "zabtree/server";
     console.log(typeof connect, typeof startServer);\n`,
  );
  expect((await must([node, "use.js"], { cwd: project })).trim()).toBe("function function");
}, 30_000);

test("its declarations compile in a strict project", async () => {
  const lines = [
    'import { connect } from "zabtree";',
    'import { startServer } from "zabtree/server";',
    "// Declarations that lead nowhere would make both of them `any`.",
    "// @ts-expect-error",
    "export const first: number = connect;",
    "// @ts-expect-error",
    "export const second: number = startServer;",
  ];
  await writeFile(join(project, "use.ts"), lines.join("\n"));
  const types = ["--types", "node", "--typeRoots", join(root, "node_modules", "@types")];
  const flags = ["--noEmit", "--strict", "--module", "nodenext", "--target", "es2024", "--skipLibCheck", ...types];
  const { code, output } = await run(["tsc", ...flags, "use.ts"], { cwd: project });
  expect(output).toBe("");
  expect(code).toBe(0);
}, 60_000);

/** Waits until the server says where it listens. */
async function address(server: ChildProcess): Promise<string> {
  if (server.stdout === null) throw new Error("no output to read");
  const lines: string[] = [];
  for await (const line of createInterface({ input: server.stdout })) {
    lines.push(line);
    const found = /ready on (127\.0\.0\.1:[1-9]\d*)/.exec(line)?.[1];
    if (found !== undefined) {
      server.stdout.resume();
      return found;
    }
  }
  throw new Error(`the server did not start:\n${lines.join("\n")}`);
}
