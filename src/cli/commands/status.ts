import type { Command } from "commander";
import { ServerRole } from "../../client/index.ts";
import { count, duration, pairs, size } from "../format.ts";
import { finishClientCommand, withConnection } from "../settings.ts";

export function registerStatus(program: Command): void {
  const command = program
    .command("status")
    .summary("print the state of a server")
    .description("Prints what the server says about itself: its role, its log, its tree, its load.")
    .action(async (_options: unknown, command: Command) => {
      await withConnection(command, async (connection, output) => {
        const status = await connection.cluster.getStatus({});
        const { $typeName: _type, $unknown: _unknown, header, ...fields } = status;
        const json = {
          server: connection.server,
          clusterId: header?.clusterId,
          memberId: header?.memberId,
          epoch: header?.epoch,
          zxid: header?.zxid,
          ...fields,
          role: ServerRole[status.role],
        };
        await output.result(json, () =>
          pairs([
            ["server", `${connection.server} (member ${header?.memberId ?? 0}, version ${status.version})`],
            ["cluster", header?.clusterId ?? ""],
            ["role", `${ServerRole[status.role].toLowerCase()}, epoch ${header?.epoch ?? 0}`],
            ["up for", duration(status.uptimeMs)],
            ["applied", `transaction ${header?.zxid ?? 0}`],
            ["log", `${status.oldestZxid} to ${status.lastLoggedZxid}, ${size(status.logBytes)}`],
            ["committed", `transaction ${status.committedZxid}`],
            ["checkpoint", `transaction ${status.checkpointZxid}, ${size(status.checkpointBytes)}`],
            ["digest", status.digest],
            ["tree", `${count(status.znodes, "znode")}, ${size(status.dataBytes)} of data`],
            ["ephemerals", String(status.ephemerals)],
            ["sessions", `${status.sessions} (${status.attachedSessions} attached here)`],
            ["watches", String(status.watches)],
            ["memory", size(status.residentBytes)],
          ]),
        );
      });
    });
  finishClientCommand(command, ["zabtree status", "zabtree status --json | jq .committedZxid"]);
}
