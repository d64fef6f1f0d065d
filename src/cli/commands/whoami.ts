import type { Command } from "commander";
import { finishClientCommand, withConnection } from "../settings.ts";

export function registerWhoami(program: Command): void {
  const command = program
    .command("whoami")
    .summary("print the identities the server sees")
    .description("Prints the identities that ACLs are compared with, a line each, besides world:anyone.")
    .action(async (_options: unknown, command: Command) => {
      await withConnection(command, async (connection, output) => {
        const { identities } = await connection.sessions.whoAmI({});
        const known = identities.map(({ scheme, id }) => ({ scheme, id }));
        await output.result({ identities: known }, () => known.map(({ scheme, id }) => `${scheme}:${id}`).join("\n"));
      });
    });
  finishClientCommand(command, ["zabtree whoami", "zabtree whoami --auth alice:pw"]);
}
