/** What can go wrong with a data directory, as a message for the operator. */
export type StorageErrorCode =
  /** Another process holds the directory. */
  | "IN_USE"
  /** The files are of another kind, a newer version, or another server. */
  | "FOREIGN"
  /** A row, a checkpoint or a file is damaged. */
  | "CORRUPT"
  /** Acknowledged transactions are missing. */
  | "LOST"
  /** Reading or writing failed; whether the last step is durable is unknown. */
  | "IO";

export class StorageError extends Error {
  override readonly name = "StorageError";
  readonly code: StorageErrorCode;

  constructor(code: StorageErrorCode, message: string, options?: ErrorOptions) {
    super(message, options);
    this.code = code;
  }
}

/** Whatever was thrown, as a storage error. */
export function asStorageError(error: unknown): StorageError {
  if (error instanceof StorageError) return error;
  const message = error instanceof Error ? error.message : String(error);
  return new StorageError("IO", message, { cause: error });
}

/** What SQLite says of a file whose content is wrong, as opposed to one that cannot be reached right now. */
const damageCodes = /^SQLITE_(CORRUPT|NOTADB|ERROR|FORMAT|MISMATCH|CONSTRAINT|SCHEMA|TOOBIG|RANGE)/;

/** The same for an error that says that a file is damaged; undefined for any other. */
export function asDamage(error: unknown, file: string): StorageError | undefined {
  if (error instanceof StorageError) return error.code === "CORRUPT" ? error : undefined;
  if (!damageCodes.test(String((error as { code?: unknown }).code))) return undefined;
  return new StorageError("CORRUPT", `cannot read ${file}: ${(error as Error).message}`, { cause: error });
}
