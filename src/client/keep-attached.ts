/** Takes a session up again whenever its stream breaks. */
import { setTimeout as sleep } from "node:timers/promises";
import { ZabtreeError } from "./error.ts";
import type { Session } from "./session.ts";

export interface KeepAttachedOptions {
  /** Called when the stream broke, with the reason. */
  readonly onSuspended?: (error: ZabtreeError) => void;
  /** Called when the session is attached again. */
  readonly onConnected?: () => void;
  /** Gives the session up after so long without a stream; never when left out. */
  readonly giveUpAfterMs?: number;
}

const firstPauseMs = 100;
const longestPauseMs = 1000;

/** Works until the session is over. Where the server has expired it meanwhile, the session becomes LOST. */
export function keepAttached(session: Session, options: KeepAttachedOptions = {}): void {
  session.onState((state) => {
    if (state === "SUSPENDED") void reattachUntilOver(session, options);
  });
  if (session.state === "SUSPENDED") void reattachUntilOver(session, options);
}

async function reattachUntilOver(session: Session, options: KeepAttachedOptions): Promise<void> {
  const since = performance.now();
  if (session.error !== undefined) options.onSuspended?.(session.error);
  for (let pauseMs = firstPauseMs; session.state === "SUSPENDED"; pauseMs = Math.min(pauseMs * 2, longestPauseMs)) {
    try {
      await session.reattach();
      options.onConnected?.();
      return;
    } catch (error) {
      const { giveUpAfterMs } = options;
      if (giveUpAfterMs !== undefined && performance.now() - since > giveUpAfterMs) {
        session.abandon(error instanceof ZabtreeError ? error : undefined);
        return;
      }
      await sleep(pauseMs);
    }
  }
}
