/** The data of a znode as the command line gives it: an argument, a file, stdin, or nothing. */
import { readFile } from "node:fs/promises";
import { buffer } from "node:stream/consumers";
import { CommandError, UsageError } from "./failure.ts";

/** For the help of commands that take data. */
export const dataArgument = "the data as text; - reads it from stdin";

/** Undefined means: no data, which is not the same as empty data. */
export async function dataInput(
  argument: string | undefined,
  file: string | undefined,
): Promise<Uint8Array<ArrayBuffer> | undefined> {
  if (argument !== undefined && file !== undefined) throw new UsageError("give the data as an argument or by --file");
  if (file !== undefined) return await bytesOfFile(file);
  if (argument === "-") return new Uint8Array(await buffer(process.stdin));
  return argument === undefined ? undefined : new TextEncoder().encode(argument);
}

async function bytesOfFile(file: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(file));
  } catch (error) {
    throw new CommandError(`cannot read ${file}: ${(error as Error).message}`);
  }
}
