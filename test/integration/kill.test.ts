/** `kill -9`, again and again, at any moment: nothing acknowledged is lost, and nothing happens twice. */
import { existsSync, statSync } from "node:fs";
import { join } from "node:path";
import Database from "better-sqlite3";
import { expect, it } from "vitest";
import { CreateMode, type Connection, type Session } from "../../src/client/index.ts";
import { pause, scratchDirectory, Server, text, until, untext, within } from "./harness.ts";

/** Half of them while the server starts. */
const kills = Number(process.env["ZABTREE_TEST_KILLS"] ?? 52);
const writers = 4;
/** Requests each writer keeps under way. */
const window = 12;

/** One session that writes numbers, one after the other, and checks that each write happened once and in order. */
class Writer {
  readonly session: Session;
  readonly path: string;
  /** Writes asked for, and writes answered. */
  asked = 0;
  acknowledged = 0;
  created: string[] = [];
  private readonly asking = new Set<Promise<void>>();
  private running = true;
  private problem: unknown;

  constructor(session: Session, index: number) {
    this.session = session;
    this.path = `/kill/w${index}`;
  }

  async prepare(): Promise<void> {
    await this.session.request("create", { path: this.path, data: text("0") });
    await this.session.request("create", { path: `${this.path}-alive`, mode: CreateMode.EPHEMERAL });
    this.fill();
  }

  private fill(): void {
    while (this.running && this.problem === undefined && this.asking.size < window) {
      const write = this.asked % 8 === 7 ? this.create() : this.set();
      this.asking.add(write);
      void write
        .catch((error: unknown) => {
          this.problem ??= error;
        })
        .finally(() => {
          this.asking.delete(write);
          // In a later turn: one answer must not lead to a message of its own.
          setTimeout(() => {
            this.fill();
          }, 1);
        });
    }
  }

  private async set(): Promise<void> {
    const number = ++this.asked;
    const { stat } = await this.session.request("setData", { path: this.path, data: text(String(number)) });
    // Every write before it happened once, so the version counts them.
    expect(stat?.version).toBe(number - Math.floor(number / 8));
    this.acknowledged = number;
  }

  private async create(): Promise<void> {
    const number = ++this.asked;
    const path = `${this.path}/n`;
    const { path: made } = await this.session.request("create", { path, mode: CreateMode.PERSISTENT_SEQUENTIAL });
    expect(made).toBe(`${path}${String(this.created.length).padStart(10, "0")}`);
    this.created.push(made);
    this.acknowledged = number;
  }

  /** Throws if a write went wrong. */
  check(): void {
    expect(this.problem).toBeUndefined();
  }

  async finish(): Promise<void> {
    this.running = false;
    await within(30_000, `${this.path}: what was asked for is answered`, Promise.all(this.asking));
    this.check();
  }
}

/** Takes the sessions up again, as a client would. */
async function reattach(sessions: readonly Session[]): Promise<void> {
  for (const session of sessions) {
    await until(
      `session ${session.id} is attached again`,
      async () => {
        try {
          await session.reattach();
          return true;
        } catch (error) {
          if (session.state === "SUSPENDED") return false;
          throw error;
        }
      },
      { timeoutMs: 30_000 },
    );
  }
}

async function checkAcknowledged(connection: Connection, writers: readonly { path: string; at: number }[]) {
  for (const { path, at } of writers) {
    const { data } = await connection.tree.getData({ path });
    // Of every eight numbers seven are values.
    expect(Number(untext(data))).toBeGreaterThanOrEqual(at % 8 === 0 ? Math.max(0, at - 1) : at);
  }
}

/**
 * Moments to kill at: while clients write; while the server stops on request and folds its checkpoint; while the
 * checkpoint is folded beside the writes; while the server starts.
 */
type Moment = "load" | "stop" | "fold" | "startup";

function momentOf(cycle: number): Moment {
  if (cycle % 10 === 5) return "fold";
  return cycle % 2 === 0 ? "load" : "stop";
}

/** Waits until the checkpoint is written while the server serves. */
async function untilFolding(data: string): Promise<void> {
  const stamp = () => ["tree.db", "tree.db-wal"].map((name) => modified(join(data, name))).join();
  const before = stamp();
  await until("the checkpoint is folded", () => stamp() !== before, { everyMs: 1 });
}

function modified(path: string): number {
  return existsSync(path) ? statSync(path).mtimeMs : 0;
}

async function killAt(moment: Moment, server: Server): Promise<void> {
  if (moment === "fold") await untilFolding(server.data);
  else await pause(20 + Math.random() * 200);
  if (moment === "stop") {
    server.signal("SIGTERM");
    await pause(Math.random() * 60);
  }
  await server.kill();
}

it(
  `loses no acknowledged write in ${kills} kills`,
  async () => {
    const data = join(await scratchDirectory(), "data");
    const server = await Server.start({ data });
    const connection = await server.connect();
    await connection.tree.create({ path: "/kill" });
    const sessions: Session[] = [];
    const all: Writer[] = [];
    for (let index = 0; index < writers; index++) {
      const session = await connection.openSession({ timeoutMs: 120_000 });
      sessions.push(session);
      const writer = new Writer(session, index);
      all.push(writer);
      await writer.prepare();
    }
    const forgotten = await connection.openSession({ timeoutMs: 1000 });
    await forgotten.request("create", { path: "/kill/forgotten", mode: CreateMode.EPHEMERAL });

    let startupMs = 500;
    for (let cycle = 0; cycle < kills / 2; cycle++) {
      await killAt(momentOf(cycle), server);
      // Once more while it starts: somewhere between the first instruction and the first answer.
      server.spawn();
      await pause(startupMs * Math.random());
      await server.kill();
      await until("the sessions notice", () => sessions.every(({ state }) => state !== "CONNECTED"));
      const before = all.map(({ path, acknowledged: at }) => ({ path, at }));
      const started = performance.now();
      await server.start();
      startupMs = performance.now() - started;
      await reattach(sessions);
      await checkAcknowledged(connection, before);
      for (const writer of all) writer.check();
    }

    for (const writer of all) {
      await writer.finish();
      const { stat, data: value } = await connection.tree.getData({ path: writer.path });
      expect(stat?.version).toBe(writer.asked - writer.created.length);
      expect(stat?.numChildren).toBe(writer.created.length);
      expect(Number(untext(value))).toBe(writer.asked % 8 === 0 ? writer.asked - 1 : writer.asked);
      // Every kill was survived by what its session owns.
      expect((await connection.tree.exists({ path: `${writer.path}-alive` })).stat).toBeDefined();
    }
    const total = all.reduce((sum, { asked }) => sum + asked, 0);
    expect(total).toBeGreaterThan(kills * writers);
    // A session that nobody took up again has expired meanwhile.
    await until("the forgotten session expires", async () => {
      return (await connection.tree.exists({ path: "/kill/forgotten" })).stat === undefined;
    });
    for (const session of sessions) await session.close();
    expect(await server.stop()).toMatchObject({ code: 0 });

    const log = new Database(join(data, "log.db"), { readonly: true });
    try {
      expect(log.pragma("integrity_check", { simple: true })).toBe("ok");
      const zxids = log.prepare("SELECT min(zxid) AS first, max(zxid) AS last, count(DISTINCT zxid) AS n FROM txn");
      const { first, last, n } = zxids.get() as { first: number; last: number; n: number };
      // Where old transactions have been purged the rest is without a gap.
      expect(n).toBe(last - first + 1);
      expect(last).toBe(log.prepare("SELECT committed_zxid FROM state").pluck().get());
      const epochs = log.prepare("SELECT count(DISTINCT epoch) FROM txn").pluck().get();
      expect(epochs).toBeGreaterThan(kills / 4);
      for (const { path, created } of all) {
        const values = log
          .prepare("SELECT CAST(data AS TEXT) FROM txn WHERE path = ? AND kind = 'set_data' ORDER BY zxid")
          .pluck()
          .all(path) as string[];
        expect(new Set(values).size).toBe(values.length);
        const children = log.prepare("SELECT count(*) FROM txn WHERE path GLOB ? AND kind = 'create'").pluck();
        expect(children.get(`${path}/*`)).toBe(created.length);
      }
    } finally {
      log.close();
    }
  },
  kills * 4000 + 60_000,
);
