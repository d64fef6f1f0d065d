/** A progress bar on stderr, where stderr is a terminal. */
import cliProgress from "cli-progress";

export interface Progress {
  update(value: number): void;
  stop(): void;
}

export function startProgress(what: string, total: number, shown: boolean): Progress {
  if (!shown || !process.stderr.isTTY || total === 0) return { update: () => undefined, stop: () => undefined };
  const bar = new cliProgress.SingleBar({
    format: `${what} {bar} {percentage}% | {value} of {total} znodes | {eta_formatted} left`,
    stream: process.stderr,
    clearOnComplete: true,
    hideCursor: true,
    barsize: 30,
  });
  bar.start(total, 0);
  return {
    update: (value) => {
      bar.update(value);
    },
    stop: () => {
      bar.stop();
    },
  };
}
