import { text } from "node:stream/consumers";
import type { Command } from "commander";
import { aclEntry, aclEntryText, aclHelp, digestId } from "../acl-text.ts";
import { Permission } from "../../client/index.ts";
import { headerJson, statJson } from "../json.ts";
import { finishClientCommand, optionsOf, outputOf, userPassword, versionNumber, withConnection } from "../settings.ts";

export function registerAcl(program: Command): void {
  const acl = program
    .command("acl")
    .summary("read and set who may do what with a znode")
    .description("Reads and sets the ACL of a znode. Rights are neither inherited nor recursive.")
    .enablePositionalOptions();
  registerAclGet(acl);
  registerAclSet(acl);
  registerAclDigest(acl);
  acl.addHelpText("after", aclHelp);
}

function registerAclGet(acl: Command): void {
  const command = acl
    .command("get")
    .summary("print the ACL of a znode")
    .description("Prints the ACL of a znode, an entry a line.")
    .argument("<path>", "path of the znode")
    .action(async (path: string, _options: unknown, command: Command) => {
      await withConnection(command, async (connection, output) => {
        const { acl, stat, header } = await connection.tree.getAcl({ path });
        const entries = acl.map(({ scheme, id, permissions }) => ({
          scheme,
          id,
          permissions: permissions.map((permission) => Permission[permission]),
        }));
        const json = { path, acl: entries, stat: statJson(stat), ...headerJson(header) };
        await output.result(json, () => acl.map(aclEntryText).join("\n"));
      });
    });
  finishClientCommand(command, ["zabtree acl get /app"]).addHelpText("after", aclHelp);
}

function registerAclSet(acl: Command): void {
  const command = acl
    .command("set")
    .summary("replace the ACL of a znode")
    .description("Replaces the ACL of a znode, and prints its new ACL version.")
    .argument("<path>", "path of the znode")
    .argument("<entry...>", "the entries, scheme:id:permissions")
    .option("--version <n>", "only if this is its ACL version, `aversion` (else BAD_VERSION)", versionNumber)
    .action(async (path: string, entries: string[], _options: unknown, command: Command) => {
      const { version } = optionsOf<{ version?: number }>(command);
      const acl = entries.map(aclEntry);
      await withConnection(command, async (connection, output) => {
        const { stat, header } = await connection.tree.setAcl({ path, acl, expectedAclVersion: version });
        const json = { path, stat: statJson(stat), ...headerJson(header) };
        await output.result(json, () => `set the ACL of ${path} (ACL version ${stat?.aversion ?? 0})`);
      });
    });
  finishClientCommand(command, [
    "zabtree acl set /app world:anyone:r auth::rwcda --auth alice:pw",
    'zabtree acl set /app "digest:$(zabtree acl digest alice:pw):rwcda"',
  ]).addHelpText("after", aclHelp);
}

function registerAclDigest(acl: Command): void {
  acl
    .command("digest")
    .summary("compute the id of a user for the digest scheme")
    .description(
      "Prints the id of the digest scheme that belongs to a user and a password, user:base64(SHA1(user:password)). " +
        "Needs no server. - reads user:password from stdin, so that the password stays out of the shell's history.",
    )
    .argument("<user:password>", "who; - reads it from stdin")
    .option("--json", "print JSON")
    .addHelpText("after", '\nExamples:\n  zabtree acl set /app "digest:$(zabtree acl digest alice:pw):rwcda"')
    .action(async (argument: string, _options: unknown, command: Command) => {
      const given = argument === "-" ? (await text(process.stdin)).replace(/\r?\n$/, "") : argument;
      const id = digestId(userPassword(given));
      await outputOf(command).result({ scheme: "digest", id }, () => id);
    });
}
