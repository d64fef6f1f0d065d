/** Very many children: by page and by stream, complete, in byte order, in bounded memory. */
import { beforeAll, expect, it } from "vitest";
import type { Connection } from "../../src/client/index.ts";
import { mebibyte, Server } from "./harness.ts";

const count = Number(process.env["ZABTREE_TEST_CHILDREN"] ?? 100_000);

let server: Server;

/** Names whose byte order is not the order they are made in: of several lengths, and of all widths of UTF-8. */
function nameOf(index: number): string {
  const base = ((index * 7_919) % count).toString(36);
  return index % 10 === 0 ? `${base}é` : index % 10 === 1 ? `${base}世` : index % 10 === 2 ? `${base}!` : `${base}-`;
}

function compareBytes(a: string, b: string): number {
  return Buffer.compare(Buffer.from(a), Buffer.from(b));
}

let names: string[];

beforeAll(async () => {
  server = await Server.start({ shared: true });
  const connection = await server.connect();
  await connection.tree.create({ path: "/many" });
  // Not children of it, though they come between in the order of whole paths.
  await connection.tree.create({ path: "/many!" });
  await connection.tree.create({ path: "/many0" });
  names = Array.from({ length: count }, (_, index) => nameOf(index));
  expect(new Set(names).size).toBe(count);
  const session = await connection.openSession();
  const batches: Promise<unknown>[] = [];
  for (let from = 0; from < count; from += 1000) {
    const operations = names.slice(from, from + 1000).map((name) => ({
      operation: { case: "create" as const, value: { path: `/many/${name}` } },
    }));
    batches.push(session.request("multi", { operations }));
    if (batches.length === 8) await Promise.all(batches.splice(0));
  }
  await Promise.all(batches);
  await session.close();
  names.sort(compareBytes);
}, 60_000 + count);

/** How much more memory the server ever had while something ran. */
async function growthDuring(run: (connection: Connection) => Promise<void>): Promise<number> {
  const connection = await server.connect();
  await connection.tree.exists({ path: "/" });
  const before = server.residentBytes;
  let most = before;
  const timer = setInterval(() => (most = Math.max(most, server.residentBytes)), 5);
  try {
    await run(connection);
  } finally {
    clearInterval(timer);
  }
  return most - before;
}

const allowedGrowth = 96 * mebibyte;

it(`lists ${count} children page by page`, async () => {
  const growth = await growthDuring(async (connection) => {
    const listed: string[] = [];
    for await (const page of connection.childPages("/many")) {
      expect(page.length).toBeLessThanOrEqual(1000);
      for (const { name } of page) listed.push(name);
    }
    expect(listed).toEqual(names);
  });
  expect(growth).toBeLessThan(allowedGrowth);
}, 120_000);

it("lists them with Stats, on small pages too, from a session", async () => {
  const connection = await server.connect();
  const session = await connection.openSession();
  const listed: string[] = [];
  let pageToken = "";
  do {
    const page = await session.request("listChildren", { path: "/many", pageSize: 777, pageToken, includeStat: true });
    for (const { name, stat } of page.children) {
      listed.push(name);
      expect(stat?.version).toBe(0);
    }
    expect(page.stat?.numChildren).toBe(count);
    ({ nextPageToken: pageToken } = page);
  } while (pageToken !== "" && listed.length < 20_000);
  expect(listed).toEqual(names.slice(0, listed.length));
  await session.close();
}, 60_000);

it("goes on with the next name when the last one of a page is gone", async () => {
  const { tree } = await server.connect();
  const first = await tree.listChildren({ path: "/many", pageSize: 10 });
  const last = `/many/${first.children.at(-1)!.name}`;
  await tree.delete({ path: last });
  const second = await tree.listChildren({ path: "/many", pageSize: 10, pageToken: first.nextPageToken });
  expect(second.children.map(({ name }) => name)).toEqual(names.slice(10, 20));
  await tree.create({ path: last });
});

it("streams them, and resumes a stream that broke", async () => {
  const growth = await growthDuring(async (connection) => {
    const expected = ["/many", ...names.map((name) => `/many/${name}`)];
    const streamed: string[] = [];
    for await (const piece of connection.subtreePieces("/many")) for (const { path } of piece) streamed.push(path);
    expect(streamed).toEqual(expected);
    const middle = expected[Math.floor(count / 2)]!;
    const rest: string[] = [];
    for await (const { znodes } of connection.tree.streamSubtree({ path: "/many", resumeAfter: middle })) {
      for (const { path } of znodes) rest.push(path);
    }
    expect(rest).toEqual(expected.slice(Math.floor(count / 2) + 1));
  });
  expect(growth).toBeLessThan(allowedGrowth);
  const { tree } = await server.connect();
  expect((await tree.countDescendants({ path: "/many" })).count).toBe(BigInt(count));
}, 120_000);
