import type { Command } from "commander";
import { dataJson, headerJson, statJson } from "../json.ts";
import { statTable } from "../format.ts";
import { consistencyOf, consistencyOption, type ConsistencyFlags } from "../consistency.ts";
import { finishClientCommand, optionsOf, withConnection } from "../settings.ts";

interface GetFlags extends ConsistencyFlags {
  readonly stat?: boolean;
}

export function registerGet(program: Command): void {
  const command = program
    .command("get")
    .summary("print the data of a znode")
    .description(
      "Prints the data of a znode, byte for byte and nothing else. On a terminal a line break is added where the data " +
        "does not end in one.",
    )
    .argument("<path>", "path of the znode")
    .option("--stat", "print its Stat as well, on stderr")
    .addOption(consistencyOption())
    .action(async (path: string, _options: unknown, command: Command) => {
      const flags = optionsOf<GetFlags>(command);
      await withConnection(command, async (connection, output) => {
        const { data, stat, header } = await connection.tree.getData({ path, consistency: consistencyOf(flags) });
        if (output.json) {
          const json = { path, ...dataJson(data), stat: statJson(stat), ...headerJson(header) };
          await output.result(json, () => "");
          return;
        }
        await output.bytes(data ?? "");
        if (process.stdout.isTTY && data !== undefined && data.at(-1) !== 0x0a) await output.bytes("\n");
        if (flags.stat === true && stat !== undefined) output.note(statTable(stat));
      });
    });
  finishClientCommand(command, [
    "zabtree get /app",
    "zabtree get /app/logo > logo.png",
    "zabtree get /app --json | jq -r .text",
  ]);
}
