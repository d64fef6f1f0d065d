/**
 * What a leader answers a follower, as bytes. All that is said in one turn travels together, in order.
 *
 *   answers = format answer*
 *
 * Canonical, and read with the same distrust as requests; see request-codec.ts.
 */
import { DecodeError, type ByteReader, type ByteWriter } from "../base/bytes.ts";
import { reasonOfNumber, type Refusal } from "../base/reasons.ts";
import type { AttachNumber } from "./live-session.ts";
import { decodeList, decodeRefusal, encodeRefusal, flag } from "./request-codec.ts";
import type { OutcomeReport } from "./session-keeper.ts";

export type LeaderAnswer =
  /** The write is this transaction; it may be committed by now. */
  | { readonly kind: "proposed"; readonly ticket: number; readonly zxid: number }
  /** The write was done before, as this transaction, with this outcome. */
  | {
      readonly kind: "repeated";
      readonly ticket: number;
      readonly zxid: number;
      readonly code: number;
      readonly failedOp: number;
    }
  | { readonly kind: "refused"; readonly ticket: number; readonly refusal: Refusal }
  /** The leader is about to resign: nothing was done, ask the next one. */
  | { readonly kind: "declined"; readonly ticket: number }
  /** The stream has the session, and everything up to `zxid` was committed before. */
  | { readonly kind: "attached"; readonly ticket: number; readonly number: AttachNumber; readonly zxid: number }
  /** The touches have arrived at a leader that leads; those of `ended` were too late. */
  | { readonly kind: "touched"; readonly ticket: number; readonly ended: readonly number[] }
  | { readonly kind: "readIndex"; readonly ticket: number; readonly zxid: number }
  | { readonly kind: "outcome"; readonly ticket: number; readonly report: OutcomeReport }
  /** A newer stream has taken the session of this one over. */
  | { readonly kind: "moved"; readonly stream: number }
  /** What most members have as the digest as of a transaction; undefined when no majority agrees. */
  | { readonly kind: "verdict"; readonly zxid: number; readonly digest: number | undefined };

const format = 1;

const Kind = {
  proposed: 1,
  repeated: 2,
  refused: 3,
  declined: 4,
  attached: 5,
  touched: 6,
  readIndex: 7,
  outcome: 8,
  moved: 9,
  verdict: 10,
} as const;

const reportStates = ["notSeen", "pending", "forgotten", "succeeded", "failed"] as const;

export function beginAnswers(writer: ByteWriter): void {
  writer.reset();
  writer.byte(format);
}

/** The most frequent answer by far. */
export function encodeProposed(ticket: number, zxid: number, writer: ByteWriter): void {
  writer.byte(Kind.proposed);
  writer.varint(ticket);
  writer.varint(zxid);
}

export function encodeAnswer(answer: LeaderAnswer, writer: ByteWriter): void {
  if (answer.kind === "proposed") {
    encodeProposed(answer.ticket, answer.zxid, writer);
    return;
  }
  writer.byte(Kind[answer.kind]);
  switch (answer.kind) {
    case "repeated":
      writer.varint(answer.ticket);
      writer.varint(answer.zxid);
      writer.varint(answer.code);
      writer.varint(answer.failedOp);
      return;
    case "refused":
      writer.varint(answer.ticket);
      encodeRefusal(answer.refusal, writer);
      return;
    case "declined":
      writer.varint(answer.ticket);
      return;
    case "attached":
      writer.varint(answer.ticket);
      writer.varint(answer.number.epoch);
      writer.varint(answer.number.count);
      writer.varint(answer.zxid);
      return;
    case "touched":
      writer.varint(answer.ticket);
      writer.varint(answer.ended.length);
      for (const session of answer.ended) writer.varint(session);
      return;
    case "readIndex":
      writer.varint(answer.ticket);
      writer.varint(answer.zxid);
      return;
    case "outcome":
      writer.varint(answer.ticket);
      encodeReport(answer.report, writer);
      return;
    case "moved":
      writer.varint(answer.stream);
      return;
    case "verdict":
      writer.varint(answer.zxid);
      writer.byte(answer.digest === undefined ? 0 : 1);
      if (answer.digest !== undefined) writer.varint(answer.digest);
      return;
  }
}

function encodeReport(report: OutcomeReport, writer: ByteWriter): void {
  writer.byte(reportStates.indexOf(report.state));
  writer.byte(report.ended ? 1 : 0);
  if ("zxid" in report) writer.varint(report.zxid);
  if ("refusal" in report) encodeRefusal(report.refusal, writer);
}

function decodeReport(reader: ByteReader): OutcomeReport {
  const state = reportStates[reader.byte()];
  if (state === undefined) throw new DecodeError("unknown state of an outcome");
  const ended = flag(reader);
  if (state === "succeeded") return { state, ended, zxid: reader.varint() };
  if (state === "failed") return { state, ended, zxid: reader.varint(), refusal: decodeRefusal(reader) };
  return { state, ended };
}

/** Reads the answers, one after the other. Throws DecodeError. */
export function decodeAnswers(reader: ByteReader, visit: (answer: LeaderAnswer) => void): void {
  const found = reader.byte();
  if (found !== format) throw new DecodeError(`unknown format ${found} of answers`);
  while (!reader.done) visit(decodeAnswer(reader));
}

function decodeAnswer(reader: ByteReader): LeaderAnswer {
  const kind = reader.byte();
  switch (kind) {
    case Kind.proposed:
      return { kind: "proposed", ticket: reader.varint(), zxid: reader.varint() };
    case Kind.repeated: {
      const [ticket, zxid, code, failedOp] = [reader.varint(), reader.varint(), reader.varint(), reader.varint()];
      if (code !== 0 && reasonOfNumber(code) === undefined) throw new DecodeError("unknown reason");
      return { kind: "repeated", ticket, zxid, code, failedOp };
    }
    case Kind.refused:
      return { kind: "refused", ticket: reader.varint(), refusal: decodeRefusal(reader) };
    case Kind.declined:
      return { kind: "declined", ticket: reader.varint() };
    case Kind.attached: {
      const ticket = reader.varint();
      const number = { epoch: reader.varint(), count: reader.varint() };
      return { kind: "attached", ticket, number, zxid: reader.varint() };
    }
    case Kind.touched:
      return { kind: "touched", ticket: reader.varint(), ended: decodeList(reader, () => reader.varint()) };
    case Kind.readIndex:
      return { kind: "readIndex", ticket: reader.varint(), zxid: reader.varint() };
    case Kind.outcome:
      return { kind: "outcome", ticket: reader.varint(), report: decodeReport(reader) };
    case Kind.moved:
      return { kind: "moved", stream: reader.varint() };
    case Kind.verdict: {
      const zxid = reader.varint();
      return { kind: "verdict", zxid, digest: flag(reader) ? reader.varint() : undefined };
    }
    default:
      throw new DecodeError(`unknown kind ${kind} of answer`);
  }
}
