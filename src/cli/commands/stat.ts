import type { Command } from "commander";
import { ZabtreeError } from "../../client/index.ts";
import { GrpcCode } from "../../base/reasons.ts";
import { consistencyOf, consistencyOption, type ConsistencyFlags } from "../consistency.ts";
import { statTable } from "../format.ts";
import { headerJson, statJson } from "../json.ts";
import { finishClientCommand, optionsOf, withConnection } from "../settings.ts";

export function registerStat(program: Command): void {
  const command = program
    .command("stat")
    .summary("print the bookkeeping of a znode")
    .description("Prints the Stat of a znode. Where there is none, it fails with NO_NODE.")
    .argument("<path>", "path of the znode")
    .addOption(consistencyOption())
    .action(async (path: string, _options: unknown, command: Command) => {
      const flags = optionsOf<ConsistencyFlags>(command);
      await withConnection(command, async (connection, output) => {
        const { stat, header } = await connection.tree.exists({ path, consistency: consistencyOf(flags) });
        if (stat === undefined) {
          const message = `no znode at ${path}`;
          throw new ZabtreeError({ message, reason: "NO_NODE", code: GrpcCode.NOT_FOUND, metadata: { path } });
        }
        await output.result({ path, stat: statJson(stat), ...headerJson(header) }, () => statTable(stat));
      });
    });
  finishClientCommand(command, ["zabtree stat /app", "zabtree stat /app --json | jq .stat.version"]);
}
