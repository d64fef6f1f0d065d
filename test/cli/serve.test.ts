/** `serve`: how a server comes up, goes down, and refuses to. */
import { mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, it } from "vitest";
import { freePort, Running, TestServer } from "./harness.ts";

let scratch: string;

beforeEach(async () => {
  scratch = await mkdtemp(join(tmpdir(), "zabtree-serve-"));
});

afterEach(async () => {
  await rm(scratch, { recursive: true, force: true });
});

it("says where to connect and what to try, and what it says works", async () => {
  const port = await freePort();
  const data = join(scratch, "data");
  const serve = new Running(["serve", "--data", data, "--listen", `127.0.0.1:${port}`, "--http", "127.0.0.1:0"]);
  const ready = await serve.until(/zabtree \S+ is ready on (\S+) \(HTTP (127\.0\.0\.1:\d+)\), data in (.+)\n/);
  expect([ready[1], ready[3]]).toEqual([`127.0.0.1:${port}`, data]);
  const command = (await serve.until(/^try: {2}npx zabtree (.+)$/m))[1]!;
  expect(await new Running(command.split(" ")).result).toMatchObject({ code: 0, stdout: "/hello\n" });
  expect((await fetch(`http://${String(ready[2])}/livez`)).status).toBe(200);
  serve.stop("SIGTERM");
  expect(await serve.result).toMatchObject({ code: 0, stderr: "" });
});

it("keeps what it acknowledged across kill -9", async () => {
  const server = await TestServer.start();
  try {
    await server.ok("create", "/kept", "safe");
    await server.stop("SIGKILL");
    await server.start();
    expect(await server.ok("get", "/kept")).toBe("safe");
  } finally {
    await server.remove();
  }
});

it.each([
  [["--listen", "0.0.0.0:0"], /TLS|insecure/],
  [["--data", "/dev/null/x"], /.+/],
  [["--listen", "256.0.0.1:1"], /.+/],
])("refuses to start with %j: one line, exit code 1", async (flags, message) => {
  const data = join(scratch, "data");
  const refused = await new Running(["serve", "--http", "off", "--data", data, ...flags]).result;
  expect(refused).toMatchObject({ code: 1, stdout: "" });
  expect(refused.stderr).toMatch(/^zabtree: .+\n$/);
  expect(refused.stderr).toMatch(message);
});

it("refuses a data directory or an address that another server uses", async () => {
  const server = await TestServer.start();
  try {
    const address = `127.0.0.1:${await freePort()}`;
    const sameData = await new Running(["serve", "--http", "off", "--data", server.data, "--listen", address]).result;
    expect(sameData).toMatchObject({ code: 1, stdout: "" });
    expect(sameData.stderr).toMatch(/^zabtree: .+\n$/);
    const data = join(scratch, "data");
    const sameAddress = await new Running(["serve", "--http", "off", "--data", data, "--listen", server.address])
      .result;
    expect(sameAddress).toMatchObject({ code: 1, stdout: "" });
    expect(sameAddress.stderr).toMatch(/^zabtree: .+\n$/);
  } finally {
    await server.remove();
  }
});

it("takes flags that belong together only together", async () => {
  await writeFile(join(scratch, "key.pem"), "");
  const refused = await new Running(["serve", "--tls-key", join(scratch, "key.pem")]).result;
  expect(refused).toMatchObject({ code: 2 });
});
