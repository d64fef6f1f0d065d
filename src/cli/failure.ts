/** How a command fails: which exit code, and what is said on stderr. */
import { CommanderError } from "commander";
import { ZabtreeError } from "../client/index.ts";
import { GrpcCode } from "../base/reasons.ts";
import { toJson } from "./json.ts";

/** Exit codes, as the help lists them. */
export const ExitCode = { ok: 0, failed: 1, usage: 2, unreachable: 3 } as const;

export const exitCodeHelp = `
Exit codes:
  0  done
  1  refused or failed; the reason is on stderr
  2  the command line or an input file is malformed
  3  no server could be reached, it went away, or it did not answer in time`;

/** The command line, or a file it names, is not what the command takes. */
export class UsageError extends Error {
  override readonly name = "UsageError";
}

/** A command cannot go on, for a reason outside zabtree: a file, a directory, the terminal. */
export class CommandError extends Error {
  override readonly name = "CommandError";
}

interface Failure {
  readonly exitCode: number;
  readonly reason: string;
  readonly message: string;
  readonly metadata: Readonly<Record<string, string>>;
}

const deadlineExceeded = 4;

/** Sorts an error into the exit codes. */
export function failureOf(error: unknown): Failure {
  if (error instanceof ZabtreeError) {
    const unreachable = error.unavailable || error.code === deadlineExceeded;
    const exitCode = unreachable && error.reason === undefined ? ExitCode.unreachable : ExitCode.failed;
    const reason = error.reason ?? (unreachable ? "UNREACHABLE" : codeName(error.code));
    return { exitCode, reason, message: error.message, metadata: error.metadata };
  }
  if (error instanceof UsageError || error instanceof CommanderError) {
    const message = error.message.replace(/^error: /, "");
    return { exitCode: ExitCode.usage, reason: "USAGE", message, metadata: {} };
  }
  const message = error instanceof Error ? error.message : String(error);
  return { exitCode: ExitCode.failed, reason: "FAILED", message, metadata: {} };
}

function codeName(code: number): string {
  return Object.entries(GrpcCode).find(([, value]) => value === code)?.[0] ?? `GRPC_${code}`;
}

/** One line for people, or one JSON object. */
export function failureText(failure: Failure, json: boolean): string {
  const { exitCode, reason, message, metadata } = failure;
  if (json) return toJson({ error: { reason, message, metadata, exitCode } });
  const named = reason === "USAGE" || reason === "FAILED" || reason === "UNREACHABLE" ? "" : `${reason}: `;
  return `zabtree: ${named}${message}`;
}
