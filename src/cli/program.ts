/** The command line as a whole. */
import { Command } from "commander";
import { registerAcl } from "./commands/acl.ts";
import { registerCreate } from "./commands/create.ts";
import { registerDelete } from "./commands/delete.ts";
import { registerEnsemble } from "./commands/ensemble.ts";
import { registerExport } from "./commands/export.ts";
import { registerGet } from "./commands/get.ts";
import { registerImport } from "./commands/import.ts";
import { registerLs } from "./commands/ls.ts";
import { registerMulti } from "./commands/multi.ts";
import { registerServe } from "./commands/serve.ts";
import { registerSet } from "./commands/set.ts";
import { registerStat } from "./commands/stat.ts";
import { registerStatus } from "./commands/status.ts";
import { registerTxlog } from "./commands/txlog.ts";
import { registerWatch } from "./commands/watch.ts";
import { registerWhoami } from "./commands/whoami.ts";
import { ExitCode, exitCodeHelp, failureOf, failureText } from "./failure.ts";
import { exampleHelp, optionsOf, withServerOptions } from "./settings.ts";
import { packageVersion } from "./version.ts";

export function buildProgram(): Command {
  const program = new Command("zabtree")
    .description(
      "A small, replicated, hierarchical namespace: znodes with data, sessions, ephemeral and sequential znodes, " +
        "watches and ACLs. `zabtree serve` runs a server; the other commands talk to one.",
    )
    .version(packageVersion())
    .enablePositionalOptions()
    .showSuggestionAfterError()
    .exitOverride()
    // Errors are printed once, in one form, by runProgram.
    .configureOutput({ outputError: () => undefined });
  program.commandsGroup("Server:");
  registerServe(program);
  registerEnsemble(program);
  registerStatus(program);
  registerTxlog(program);
  program.commandsGroup("Znodes:");
  registerCreate(program);
  registerGet(program);
  registerSet(program);
  registerDelete(program);
  registerLs(program);
  registerStat(program);
  registerAcl(program);
  registerMulti(program);
  registerWatch(program);
  registerWhoami(program);
  program.commandsGroup("Files:");
  registerImport(program);
  registerExport(program);
  withServerOptions(program);
  const examples = [
    "zabtree serve                          one durable server on 127.0.0.1:4281",
    'zabtree create /app \'{"color":"red"}\'  a znode with data',
    "zabtree get /app                       its data",
    "zabtree watch / --scope subtree        every change, live",
    "zabtree help create                    more about one command",
  ];
  return program.addHelpText("after", `\n${exampleHelp(examples)}\n${exitCodeHelp}`);
}

/** Runs one command line; returns its exit code. */
export async function runProgram(args: readonly string[]): Promise<number> {
  const program = buildProgram();
  try {
    await program.parseAsync(args, { from: "user" });
    return ExitCode.ok;
  } catch (error) {
    // Help and version end in an "error" of their own, with code 0 when they were asked for.
    if (isHelp(error)) return error.exitCode === 0 ? ExitCode.ok : ExitCode.usage;
    const failure = failureOf(error);
    const json = optionsOf(program).json === true || args.includes("--json");
    process.stderr.write(`${failureText(failure, json)}\n`);
    if (failure.exitCode === ExitCode.usage && !json) process.stderr.write(`${helpHint(program, args)}\n`);
    return failure.exitCode;
  }
}

function isHelp(error: unknown): error is { exitCode: number } {
  const codes = ["commander.help", "commander.helpDisplayed", "commander.version"];
  return error instanceof Error && "code" in error && codes.includes(String(error.code));
}

function helpHint(program: Command, args: readonly string[]): string {
  const command = program.commands.find((one) => args.includes(one.name()));
  return `Try \`zabtree ${command === undefined ? "" : `${command.name()} `}--help\`.`;
}
