/** Faults, as plain values: a scenario is a list of them, which can be stored, repeated and shortened. */
import type { CrashMode, SyncFailure } from "./disk.ts";

/** A server, or whoever plays that part at that moment. */
export type Target = number | "leader" | "follower";

interface At {
  /** Virtual milliseconds. */
  readonly at: number;
}

export type Fault = At &
  (
    | { readonly kind: "crash"; readonly target: Target; readonly mode: CrashMode; readonly downMs: number }
    | { readonly kind: "crashAll"; readonly mode: CrashMode; readonly downMs: readonly number[] }
    /** The process ends at a persistence point, after passing it `skip` times. */
    | {
        readonly kind: "trap";
        readonly target: Target;
        readonly point: string;
        readonly skip: number;
        readonly mode: CrashMode;
      }
    | { readonly kind: "failSync"; readonly target: Target; readonly skip: number; readonly variant: SyncFailure }
    | { readonly kind: "slowDisk"; readonly target: Target; readonly factor: number; readonly ms: number }
    | { readonly kind: "stallDisk"; readonly target: Target; readonly ms: number }
    /** Syncs are acknowledged and do nothing. */
    | { readonly kind: "lyingDisk"; readonly target: Target; readonly ms: number }
    | { readonly kind: "wipe"; readonly target: Target; readonly downMs: number }
    | { readonly kind: "setAside"; readonly target: Target }
    | { readonly kind: "restore"; readonly target: Target; readonly downMs: number }
    | { readonly kind: "pause"; readonly target: Target; readonly ms: number }
    /** These directions carry nothing for a while. */
    | { readonly kind: "partition"; readonly blocked: readonly (readonly [number, number])[]; readonly ms: number }
    | { readonly kind: "isolate"; readonly target: Target; readonly way: "both" | "in" | "out"; readonly ms: number }
    | { readonly kind: "clog"; readonly from: number; readonly to: number; readonly ms: number }
    | { readonly kind: "reset"; readonly a: number; readonly b: number }
    /** The next messages of this type break their connection. */
    | {
        readonly kind: "breakOn";
        readonly from: number;
        readonly to: number;
        readonly type: string;
        readonly count: number;
      }
    /** A message that its sender never sent. */
    | {
        readonly kind: "stray";
        readonly from: number;
        readonly to: number;
        readonly type: string;
        readonly age: number;
      }
    | { readonly kind: "clockJump"; readonly target: Target; readonly ms: number }
    | { readonly kind: "clockRate"; readonly target: Target; readonly rate: number }
    | { readonly kind: "diskLow"; readonly target: Target; readonly ms: number }
    | { readonly kind: "resign"; readonly target: Target }
  );

export type FaultKind = Fault["kind"];

/** Everything a run depends on. */
export interface Scenario {
  readonly seed: string;
  readonly voters: number;
  readonly observers: number;
  readonly tickMs: number;
  readonly pingMs: number;
  readonly timeoutMs: number;
  readonly windowBytes: number;
  readonly pieceBytes: number;
  readonly network: { readonly minDelay: number; readonly meanDelay: number; readonly keepalive: number };
  readonly disk: {
    readonly writeTime: number;
    readonly syncTime: number;
    readonly maxGathered: number;
    readonly checkpointEvery: number;
  };
  /** Relative rates of the servers' clocks. */
  readonly clockRates: readonly number[];
  /** Mean time between two calls of clients, microseconds, and how many there are at most. */
  readonly callEvery: number;
  readonly calls: number;
  /** Length of the part with faults, virtual milliseconds. */
  readonly faultyMs: number;
  readonly faults: readonly Fault[];
}
