/** What can happen to a process: the inputs of the core, by number, as events carry them. */
export const Input = {
  tick: 1,
  persisted: 2,
  notified: 3,
  unreachable: 4,
  linkOpened: 5,
  linkReceived: 6,
  linkClosed: 7,
  logRead: 8,
  snapshotReady: 9,
  snapshotFailed: 10,
  historyRead: 11,
  client: 12,
} as const;

export const inputNames: readonly string[] = ["", ...Object.keys(Input)];

/** A process, as the disk and the network see it: inputs are delivered to one life of one server. */
export interface Endpoint {
  readonly node: number;
  readonly life: number;
  deliver(what: number, a: number, payload: unknown): void;
}
