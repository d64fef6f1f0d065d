/** Options that every command talking to a server has: where it is, who asks, how to print. */
import { readFileSync } from "node:fs";
import { InvalidArgumentError, type Command } from "commander";
import { connect, type ConnectOptions, type Connection, type TlsOptions, type UserPassword } from "../client/index.ts";
import { exitCodeHelp, UsageError } from "./failure.ts";
import { Output } from "./output.ts";

export const defaultServer = "127.0.0.1:4281";

interface ServerFlags {
  readonly server?: string;
  readonly json?: boolean;
  readonly auth?: string;
  readonly tls?: boolean;
  readonly tlsCa?: string;
  readonly tlsCert?: string;
  readonly tlsKey?: string;
  readonly timeout?: number;
}

/** Adds the options. They are understood before the command's name as well as after it. */
export function withServerOptions(command: Command): Command {
  return command
    .optionsGroup("Server options:")
    .option("--server <host:port>", `where the server is (ZABTREE_SERVERS, else ${defaultServer})`)
    .option("--auth <user:password>", "who asks, for ACLs of the digest scheme (ZABTREE_AUTH)")
    .option("--tls", "speak TLS and trust the authorities this machine trusts")
    .option("--tls-ca <file>", "speak TLS and trust the authorities in this PEM file")
    .option("--tls-cert <file>", "show the server this certificate (PEM)")
    .option("--tls-key <file>", "the key of that certificate (PEM)")
    .option("--timeout <seconds>", "how long to wait for an answer (10)", seconds)
    .option("--json", "print JSON: one document, or one a line where the result is a stream");
}

/** Adds the server options, the examples and the exit codes: the end of every command's help. */
export function finishClientCommand(command: Command, examples: readonly string[]): Command {
  return withServerOptions(command).addHelpText("after", `\n${exampleHelp(examples)}\n${exitCodeHelp}`);
}

export function exampleHelp(examples: readonly string[]): string {
  return `Examples:\n${examples.map((example) => `  ${example}`).join("\n")}`;
}

/** The options of a command and of all commands around it; the nearest wins. */
export function optionsOf<T extends object>(command: Command): T & ServerFlags {
  const around = command.parent === null ? {} : optionsOf(command.parent);
  return { ...around, ...command.opts<T & ServerFlags>() };
}

export function outputOf(command: Command): Output {
  return new Output(optionsOf(command).json === true);
}

/** Connects, runs `use`, and lets go of the connection whatever happens. */
export async function withConnection(
  command: Command,
  use: (connection: Connection, output: Output) => Promise<void>,
): Promise<void> {
  const connection = await connect(connectOptions(optionsOf(command)));
  try {
    await use(connection, outputOf(command));
  } finally {
    connection.close();
  }
}

/** What the options, or in their place the environment, say about the server. */
export function connectOptions(flags: ServerFlags, env: NodeJS.ProcessEnv = process.env): ConnectOptions {
  const server = flags.server ?? nonEmpty(env["ZABTREE_SERVERS"]) ?? defaultServer;
  for (const one of server.split(",")) checkAddress(one.trim());
  const auth = flags.auth ?? nonEmpty(env["ZABTREE_AUTH"]);
  return {
    server,
    tls: tlsOptions(flags),
    auth: auth === undefined ? undefined : userPassword(auth),
    timeoutMs: flags.timeout === undefined ? undefined : flags.timeout * 1000,
  };
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === "" ? undefined : text;
}

function checkAddress(address: string): void {
  const port = Number(/:(\d{1,5})$/.exec(address)?.[1] ?? "0");
  if (port < 1 || port > 65_535) throw new UsageError(`a server is given as host:port, not ${JSON.stringify(address)}`);
}

export function userPassword(text: string): UserPassword {
  const colon = text.indexOf(":");
  if (colon <= 0) throw new UsageError("--auth and ZABTREE_AUTH have the form user:password");
  return { user: text.slice(0, colon), password: text.slice(colon + 1) };
}

function tlsOptions(flags: ServerFlags): TlsOptions | undefined {
  const { tlsCa, tlsCert, tlsKey } = flags;
  if ((tlsCert === undefined) !== (tlsKey === undefined)) {
    throw new UsageError("--tls-cert and --tls-key belong together");
  }
  if (flags.tls !== true && tlsCa === undefined && tlsCert === undefined) return undefined;
  return { ca: pemFile(tlsCa), cert: pemFile(tlsCert), key: pemFile(tlsKey) };
}

function pemFile(path: string | undefined): Uint8Array | undefined {
  if (path === undefined) return undefined;
  try {
    return readFileSync(path);
  } catch (error) {
    throw new UsageError(`cannot read ${path}: ${(error as Error).message}`);
  }
}

/** Reads a time in seconds from the command line. */
export function seconds(text: string): number {
  const value = Number(text);
  if (text.trim() === "" || !(value > 0) || value > 86_400) {
    throw new InvalidArgumentError("It must be a number of seconds above 0, at most 86400.");
  }
  return value;
}

/** Makes a reader of whole numbers from `least` up to `most`. */
export function wholeNumber(least: number, most: number = Number.MAX_SAFE_INTEGER): (text: string) => number {
  return (text) => {
    const value = Number(text);
    if (!/^-?\d+$/.test(text) || value < least || value > most) {
      throw new InvalidArgumentError(`It must be a whole number from ${least} to ${most}.`);
    }
    return value;
  };
}

/** Reads a version: any number a Stat may show. */
export const versionNumber: (text: string) => number = wholeNumber(-2_147_483_648, 2_147_483_647);
