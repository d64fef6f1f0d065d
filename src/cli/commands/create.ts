import { once } from "node:events";
import { Option, type Command } from "commander";
import { CreateMode, ZabtreeError, type Connection, type RequestOf, type Session } from "../../client/index.ts";
import { keepAttached } from "../../client/keep-attached.ts";
import { parentPath } from "../znode-path.ts";
import { aclEntry, aclHelp } from "../acl-text.ts";
import { dataArgument, dataInput } from "../data-input.ts";
import { UsageError } from "../failure.ts";
import { headerJson, statJson } from "../json.ts";
import type { Output } from "../output.ts";
import { finishClientCommand, optionsOf, seconds, withConnection } from "../settings.ts";
import { withSession } from "../with-session.ts";

interface CreateFlags {
  readonly ephemeral?: boolean;
  readonly sequential?: boolean;
  readonly mode?: keyof typeof modes;
  readonly acl?: string[];
  readonly parents?: boolean;
  readonly file?: string;
  readonly sessionTimeout?: number;
}

const modes = {
  persistent: CreateMode.PERSISTENT,
  ephemeral: CreateMode.EPHEMERAL,
  "persistent-sequential": CreateMode.PERSISTENT_SEQUENTIAL,
  "ephemeral-sequential": CreateMode.EPHEMERAL_SEQUENTIAL,
} as const;

export function registerCreate(program: Command): void {
  const command = program
    .command("create")
    .summary("create a znode")
    .description(
      "Creates a znode and prints its path. Without DATA it has none, which is not the same as empty data. " +
        "An ephemeral znode lives as long as its session: the command stays in the foreground and holds the session " +
        "until Ctrl-C, then closes it.",
    )
    .argument("<path>", "path of the new znode; with --sequential a number is appended to it")
    .argument("[data]", dataArgument)
    .option("-f, --file <file>", "take the data from a file")
    .option("-e, --ephemeral", "delete it when this command ends")
    .option("-s, --sequential", "append the next number of its parent to the name")
    .addOption(new Option("--mode <mode>", "the same as one word").choices(Object.keys(modes)))
    .option("--acl <entry>", "who may do what, instead of the server's default; repeat it for more entries", collect)
    .option("-p, --parents", "create missing parents, without data; the znode itself must be new all the same")
    .option("--session-timeout <seconds>", "of the session of an ephemeral znode (10)", seconds)
    .action(async (path: string, data: string | undefined, _options: unknown, command: Command) => {
      const flags = optionsOf<CreateFlags>(command);
      const request: RequestOf<"create"> = {
        path,
        data: await dataInput(data, flags.file),
        mode: modeOf(flags),
        acl: (flags.acl ?? []).map(aclEntry),
      };
      await withConnection(command, async (connection, output) => {
        if (isEphemeral(request.mode)) await createAndHold({ connection, output, flags }, request);
        else await createPersistent({ connection, output, flags }, request);
      });
    });
  finishClientCommand(command, [
    "zabtree create /app hello",
    "zabtree create -p /app/config/db --file db.json",
    "zabtree create --sequential /app/queue/job- 'do this'     prints /app/queue/job-0000000000",
    "zabtree create --ephemeral /app/workers/w1 $HOSTNAME      there until Ctrl-C",
    "zabtree create /app/secret x --acl auth::rwcda --auth alice:pw",
  ]).addHelpText("after", aclHelp);
}

function collect(entry: string, before: readonly string[] = []): string[] {
  return [...before, entry];
}

interface Setting {
  readonly connection: Connection;
  readonly output: Output;
  readonly flags: CreateFlags;
}

function modeOf(flags: CreateFlags): CreateMode {
  const { mode, ephemeral, sequential } = flags;
  if (mode !== undefined) {
    if (ephemeral === true || sequential === true) {
      throw new UsageError("--mode says what --ephemeral and --sequential say");
    }
    return modes[mode];
  }
  if (ephemeral === true) return sequential === true ? CreateMode.EPHEMERAL_SEQUENTIAL : CreateMode.EPHEMERAL;
  return sequential === true ? CreateMode.PERSISTENT_SEQUENTIAL : CreateMode.PERSISTENT;
}

function isEphemeral(mode: CreateMode | undefined): boolean {
  return mode === CreateMode.EPHEMERAL || mode === CreateMode.EPHEMERAL_SEQUENTIAL;
}

async function createPersistent({ connection, output, flags }: Setting, request: RequestOf<"create">): Promise<void> {
  if (flags.parents === true) await createParents(connection, request.path ?? "");
  const created = await connection.tree.create(request);
  const json = { path: created.path, stat: statJson(created.stat), ...headerJson(created.header) };
  await output.result(json, () => created.path);
}

async function createAndHold({ connection, output, flags }: Setting, request: RequestOf<"create">): Promise<void> {
  if (flags.parents === true) await createParents(connection, request.path ?? "");
  const { sessionTimeout } = flags;
  const timeoutMs = sessionTimeout === undefined ? undefined : sessionTimeout * 1000;
  await withSession(connection, { timeoutMs }, async (session) => {
    const created = await session.request("create", request);
    const json = { path: created.path, stat: statJson(created.stat), sessionId: session.id };
    await output.result(json, () => created.path);
    output.note(`held by session ${session.id}; Ctrl-C closes it`);
    await holdUntilSignal(session, output);
  });
}

async function holdUntilSignal(session: Session, output: Output): Promise<void> {
  const over = new AbortController();
  keepAttached(session, {
    onSuspended: (error) => {
      output.note(`lost the server, trying again (${error.message})`);
    },
    onConnected: () => {
      output.note("connected again; the znode is still there");
    },
  });
  const stop = session.onEnded(() => {
    over.abort();
  });
  try {
    const { signal } = over;
    await Promise.race([once(process, "SIGINT", { signal }), once(process, "SIGTERM", { signal })]);
  } finally {
    stop();
    over.abort();
  }
}

/** Creates what is missing above a znode, from the top. */
export async function createParents(connection: Connection, path: string): Promise<void> {
  const missing: string[] = [];
  // A sequential path may end in a slash: its parent is what comes before.
  for (let parent = parentPath(path); parent !== "/"; parent = parentPath(parent)) {
    const { stat } = await connection.tree.exists({ path: parent });
    if (stat !== undefined) break;
    missing.unshift(parent);
  }
  for (const parent of missing) {
    try {
      await connection.tree.create({ path: parent });
    } catch (error) {
      // Somebody else was quicker, which serves just as well.
      if (!(error instanceof ZabtreeError && error.reason === "NODE_EXISTS")) throw error;
    }
  }
}
