import { DecodeError } from "../../src/base/bytes.ts";

/** The DecodeError that `run` throws, undefined when it throws none; any other error passes through. */
export function decodeErrorOf(run: () => unknown): DecodeError | undefined {
  try {
    run();
    return undefined;
  } catch (error) {
    if (error instanceof DecodeError) return error;
    throw error;
  }
}
