import { Option, type Command } from "commander";
import { WatchScope, type Connection, type RequestOf } from "../../client/index.ts";
import { eventJson, eventLine, stateJson, stateLine } from "../event-text.ts";
import { UsageError } from "../failure.ts";
import { toJson } from "../json.ts";
import type { Output } from "../output.ts";
import { finishClientCommand, optionsOf, wholeNumber, withConnection } from "../settings.ts";

interface WatchFlags {
  readonly scope: keyof typeof scopes;
  readonly from?: number;
  readonly state?: boolean;
  readonly data?: boolean;
  readonly count?: number;
}

const scopes = { node: WatchScope.NODE, children: WatchScope.CHILDREN, subtree: WatchScope.SUBTREE } as const;

export function registerWatch(program: Command): void {
  const command = program
    .command("watch")
    .summary("print changes as they happen")
    .description(
      "Prints the changes of a znode, of its children too, or of a whole subtree, in the order they happened, until " +
        "Ctrl-C. The znode need not exist. When the server restarts, the watch resumes where it was: no event is " +
        "lost, none is printed twice.",
    )
    .argument("<path>", "path of the znode")
    .addOption(new Option("--scope <scope>", "which znodes are covered").choices(Object.keys(scopes)).default("node"))
    .option("--from <zxid>", "begin with the changes after this transaction; 0 for all the log has", wholeNumber(0))
    .option("--state", "begin with the current state of the znodes covered")
    .option("--data", "print the new data as well")
    .option("--count <n>", "stop after so many events", wholeNumber(1))
    .action(async (path: string, _options: unknown, command: Command) => {
      const flags = optionsOf<WatchFlags>(command);
      if (flags.from !== undefined && flags.state === true) throw new UsageError("--from does not go with --state");
      await withConnection(command, async (connection, output) => {
        await watch(connection, output, { path, flags });
      });
    });
  finishClientCommand(command, [
    "zabtree watch /app",
    "zabtree watch / --scope subtree --data",
    "zabtree watch /app/workers --scope children --state     who is there, then who comes and goes",
    "zabtree watch /app --scope subtree --from 120           what happened since transaction 120",
    "zabtree watch /app/lock --count 1                       wait for one change",
  ]);
}

type Spec = NonNullable<RequestOf<"addWatch">["spec"]>;

async function watch(
  connection: Connection,
  output: Output,
  { path, flags }: { readonly path: string; readonly flags: WatchFlags },
): Promise<void> {
  const spec: Spec = {
    path,
    scope: scopes[flags.scope],
    includeData: flags.data === true,
    start: await startOf(connection, flags),
  };
  const stop = new AbortController();
  const onSignal = () => {
    stop.abort();
  };
  process.once("SIGINT", onSignal).once("SIGTERM", onSignal);
  const updates = connection.watch(spec, {
    signal: stop.signal,
    onBreak: (error, fromStart) => {
      output.note(`lost the server, ${fromStart ? "beginning again" : "resuming"} (${error.message})`);
    },
  });
  let left = flags.count ?? Infinity;
  for await (const update of updates) {
    const state = update.state.map((znode) =>
      output.json ? toJson(stateJson(znode, spec.includeData)) : stateLine(znode, spec.includeData),
    );
    const events = update.events
      .slice(0, left)
      .map((event) => (output.json ? toJson(eventJson(event, spec.includeData)) : eventLine(event, spec.includeData)));
    const synced = output.json ? [toJson({ type: "synced", zxid: update.cursor?.zxid })] : [];
    await output.lines([...state, ...events, ...(update.synced ? synced : [])]);
    if (update.synced) output.note(`that is the state as of transaction ${update.cursor?.zxid ?? 0}; changes follow`);
    left -= events.length;
    if (left <= 0) return;
  }
}

/** Behind every operation of its transaction. */
const lastOperation = 2_147_483_647;

async function startOf(connection: Connection, flags: WatchFlags): Promise<NonNullable<Spec["start"]>> {
  if (flags.state === true) return { case: "currentState", value: true };
  if (flags.from === undefined) return { case: undefined };
  return { case: "resumeAfter", value: await cursorAfter(connection, BigInt(flags.from)) };
}

/** The cursor behind a transaction of the ensemble connected to. */
export async function cursorAfter(
  connection: Connection,
  zxid: bigint,
): Promise<{ clusterId: string; zxid: bigint; op: number }> {
  const { header } = await connection.cluster.getStatus({});
  return { clusterId: header?.clusterId ?? "", zxid, op: lastOperation };
}
