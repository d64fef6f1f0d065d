/** Opens a session for as long as something uses it. */
import type { Connection, Session, SessionOptions } from "../client/index.ts";

/** Closes the session whatever happens. When it was lost, that is the error, not what became of the last request. */
export async function withSession(
  connection: Connection,
  options: SessionOptions,
  use: (session: Session) => Promise<void>,
): Promise<void> {
  const session = await connection.openSession(options);
  try {
    await use(session);
  } catch (error) {
    if (session.state === "LOST") throw session.error ?? error;
    // The first error counts; a session that cannot be closed ends by its timeout.
    await session.close().catch(() => undefined);
    throw error;
  }
  await session.close();
}
