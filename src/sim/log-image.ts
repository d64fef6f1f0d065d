/**
 * The content of a log database: what its steps do, and how each is undone, because a crash takes back what was written
 * and not synced. A step that breaks a rule of the log throws: the caller has asked for it.
 */
import { assert } from "../base/assert.ts";
import type { AppendStep, EpochStep, Forming, LogPosition, MemberAck, SnapshotOffer } from "../zab/durable-log.ts";
import { foundingOf, splitRows, type Row } from "./rows.ts";

export const zero: LogPosition = { zxid: 0, epoch: 0 };

export type StepKind =
  | "acceptEpoch"
  | "establishEpoch"
  | "append"
  | "truncate"
  | "commit"
  | "rememberAcks"
  | "form"
  | "markRecovering"
  | "purge"
  | "install";

export interface Step {
  readonly kind: StepKind;
  /** 0 for a step of the storage's own. */
  readonly write: number;
  /** Where it ends the log, when that may be further back than it was; the watermark is lowered to it first. */
  readonly cut?: LogPosition;
  apply(image: LogImage): void;
}

/** A snapshot about to take the place of the whole state. */
export interface InstallMark {
  readonly at: LogPosition;
  readonly crc: number;
}

/** Everything but the rows: small, so that it is copied before a step and put back to undo it. */
export interface LogHeader {
  clusterId: string;
  acceptedEpoch: number;
  currentEpoch: number;
  committed: LogPosition;
  /** What comes before the first row. */
  base: { readonly at: LogPosition; readonly crc: number };
  boundaries: readonly LogPosition[];
  forming: Forming | undefined;
  recovering: string | undefined;
  memberAcks: ReadonlyMap<number, LogPosition>;
  install: InstallMark | undefined;
}

export class LogImage {
  header: LogHeader = {
    clusterId: "",
    acceptedEpoch: 0,
    currentEpoch: 0,
    committed: zero,
    base: { at: zero, crc: 0 },
    boundaries: [],
    forming: undefined,
    recovering: undefined,
    memberAcks: new Map(),
    install: undefined,
  };
  rows: Row[] = [];

  get last(): LogPosition {
    return this.rows.at(-1) ?? this.header.base.at;
  }

  get lastCrc(): number {
    return this.rows.at(-1)?.crc ?? this.header.base.crc;
  }

  get isEmpty(): boolean {
    return this.last.zxid === 0;
  }

  row(zxid: number): Row | undefined {
    const first = this.rows[0];
    return first === undefined ? undefined : this.rows[zxid - first.zxid];
  }

  /** Rows after `after`, up to and including `upTo`. */
  between(after: number, upTo: number): Row[] {
    const start = this.header.base.at.zxid;
    return this.rows.slice(Math.max(0, after - start), Math.max(0, upTo - start));
  }

  copy(): LogImage {
    const copy = new LogImage();
    copy.header = { ...this.header };
    copy.rows = [...this.rows];
    return copy;
  }

  /** Applies steps; returns what takes them back. */
  apply(steps: readonly Step[]): () => void {
    const { header } = this;
    const before = this.rows;
    const length = before.length;
    // Appending is the rule, so rows are only copied by steps that do something else to them.
    this.header = { ...header };
    for (const step of steps) step.apply(this);
    const replaced = this.rows !== before;
    return () => {
      this.header = header;
      if (replaced) this.rows = before;
      before.length = length;
    };
  }
}

// ---- the steps

export function acceptEpoch(write: number, epoch: number): Step {
  return {
    kind: "acceptEpoch",
    write,
    apply: ({ header }) => {
      assert(epoch >= header.acceptedEpoch, "the accepted epoch goes back");
      header.acceptedEpoch = epoch;
    },
  };
}

export function establishEpoch(write: number, step: EpochStep): Step {
  return {
    kind: "establishEpoch",
    write,
    // A history that a leader vouches for is complete, whatever was lost before.
    cut: step.last,
    apply: (image) => {
      const { header, last } = image;
      assert(step.epoch <= header.acceptedEpoch, "an epoch is established that is not accepted");
      assert(step.epoch >= header.currentEpoch, "the current epoch goes back");
      assert(step.last.zxid === last.zxid && step.last.epoch === last.epoch, "an epoch continues another history");
      header.currentEpoch = step.epoch;
      moveCommitted(image, step.committed);
      header.forming = undefined;
      header.recovering = undefined;
      header.install = undefined;
    },
  };
}

export function append(write: number, step: AppendStep): Step {
  return {
    kind: "append",
    write,
    apply: (image) => {
      const { header } = image;
      let last = image.last;
      assert(step.firstZxid === last.zxid + 1, `an append at ${step.firstZxid} leaves a gap after ${last.zxid}`);
      for (const row of splitRows(step.bytes, image.lastCrc)) {
        assert(row.zxid === last.zxid + 1, "rows of an append are not contiguous");
        assert(row.epoch >= last.epoch, "a row of an earlier epoch follows");
        const founding = foundingOf(row);
        if (founding !== undefined) header.clusterId = founding.clusterId;
        extendBoundaries(header, row);
        image.rows.push(row);
        last = row;
      }
      assert(step.lastZxid === last.zxid && step.epoch === last.epoch, "an append ends elsewhere");
      moveCommitted(image, step.committed);
    },
  };
}

export function truncate(write: number, to: LogPosition): Step {
  return {
    kind: "truncate",
    write,
    cut: to,
    apply: (image) => {
      const { header } = image;
      assert(to.zxid >= header.committed.zxid, "committed transactions are cut off");
      const keep = to.zxid - header.base.at.zxid;
      assert(keep >= 0 && keep <= image.rows.length, "the log is cut where it does not reach");
      const end = keep === 0 ? header.base.at : image.rows[keep - 1]!;
      assert(end.epoch === to.epoch, "the log is cut at a transaction of another epoch");
      image.rows = image.rows.slice(0, keep);
      header.boundaries = cutBoundaries(header.boundaries, to);
    },
  };
}

export function commit(write: number, point: LogPosition): Step {
  return { kind: "commit", write, apply: (image) => moveCommitted(image, point) };
}

export function rememberAcks(write: number, acks: readonly MemberAck[]): Step {
  return {
    kind: "rememberAcks",
    write,
    apply: ({ header }) => {
      const remembered = new Map(header.memberAcks);
      for (const { member, position } of acks) remembered.set(member, position);
      header.memberAcks = remembered;
    },
  };
}

export function form(write: number, forming: Forming): Step {
  return {
    kind: "form",
    write,
    apply: (image) => {
      assert(image.isEmpty, "an ensemble is founded on a log that is not empty");
      image.header.forming = forming;
      image.header.clusterId = forming.clusterId;
    },
  };
}

export function markRecovering(write: number, reason: string): Step {
  return {
    kind: "markRecovering",
    write,
    apply: ({ header }) => {
      header.recovering = reason;
    },
  };
}

/** Forgets the rows up to a transaction that the older of two checkpoints holds. */
export function purge(upTo: number): Step {
  return {
    kind: "purge",
    write: 0,
    apply: (image) => {
      const { header } = image;
      const drop = upTo - header.base.at.zxid;
      if (drop <= 0) return;
      const row = image.rows[drop - 1]!;
      header.base = { at: { zxid: row.zxid, epoch: row.epoch }, crc: row.crc };
      image.rows = image.rows.slice(drop);
    },
  };
}

/** The log begins anew after a snapshot. */
export function install(offer: SnapshotOffer, clusterId: string, boundaries: readonly LogPosition[]): Step {
  return {
    kind: "install",
    write: 0,
    cut: offer.at,
    apply: (image) => {
      const { header } = image;
      assert(offer.at.zxid >= header.committed.zxid, "a snapshot would take back what is committed");
      const { at, chainCrc: crc } = offer;
      header.base = { at, crc };
      header.clusterId = clusterId;
      header.committed = at;
      header.boundaries = boundaries.filter(({ zxid }) => zxid <= at.zxid);
      header.install = { at, crc };
      image.rows = [];
    },
  };
}

function moveCommitted({ header, last }: LogImage, point: LogPosition): void {
  assert(point.zxid <= last.zxid, "the stored commit point lies beyond the log");
  assert(point.zxid >= header.committed.zxid, "the stored commit point goes back");
  header.committed = { zxid: point.zxid, epoch: point.epoch };
}

function extendBoundaries(header: LogHeader, { zxid, epoch }: Row): void {
  const { boundaries } = header;
  const end = { zxid, epoch };
  header.boundaries = boundaries.at(-1)?.epoch === epoch ? [...boundaries.slice(0, -1), end] : [...boundaries, end];
}

function cutBoundaries(boundaries: readonly LogPosition[], to: LogPosition): LogPosition[] {
  const kept = boundaries.filter(({ zxid }) => zxid < to.zxid);
  return to.zxid === 0 ? kept : [...kept, to];
}
