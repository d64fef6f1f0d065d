import { expect, it } from "vitest";
import { refusal } from "../base/reasons.ts";
import {
  foundingDetail,
  openingDetail,
  parseFounding,
  parseOpening,
  parseTrim,
  refusalOfRow,
  rejection,
  trimDetail,
} from "./detail.ts";
import { blankOp } from "./prepare.ts";
import { emptyStat } from "./stat.ts";
import { OpKind } from "./txn.ts";

it("a refusal comes back from its row", () => {
  const refusals = [
    refusal("NO_NODE", "no znode at /a", { path: "/a" }),
    refusal("BAD_VERSION", "another version", {
      path: "/a",
      expected_version: "3",
      actual_version: "4",
      operation: "0",
    }),
    refusal("NOT_EMPTY", 'a "quoted" message', { path: "/é", operation: "17" }),
    refusal("SESSION_REQUIRED", "a session is needed"),
  ];
  for (const each of refusals) {
    const row = { ...blankOp(OpKind.rejected, "", emptyStat()), ...rejection(each) };
    expect(refusalOfRow(row)).toEqual(each);
  }
});

it("a row with a code that means nothing is a bug", () => {
  const row = { ...blankOp(OpKind.rejected, "", emptyStat()), code: 999, detail: "{}" };
  expect(() => refusalOfRow(row)).toThrow("unknown code");
});

it("founding, opening and trim come back as they were", () => {
  const founding = { clusterId: "a".repeat(32), members: [{ id: 1, voter: true }], featureLevel: 1 };
  expect(parseFounding(foundingDetail(founding))).toEqual(founding);
  const identities = [{ scheme: "digest", id: "bob:B" }];
  const opening = { timeoutMs: 10_000, clientKey: "ab", secretHash: "cd", identities };
  expect(parseOpening(openingDetail(opening))).toEqual(opening);
  const trim = new Map([
    [5, 17],
    [9, 3],
  ]);
  expect(parseTrim(trimDetail(trim))).toEqual([...trim]);
});

it("the text does not depend on the order of keys: it is part of what replicas compare", () => {
  const one = { timeoutMs: 1, clientKey: "a", secretHash: "b", identities: [{ scheme: "ip", id: "::1" }] };
  const other = { identities: [{ id: "::1", scheme: "ip" }], secretHash: "b", clientKey: "a", timeoutMs: 1 };
  expect(openingDetail(other)).toBe(openingDetail(one));
  const members = { one: [{ id: 1, voter: true }], other: [{ voter: true, id: 1 }] };
  const founding = { clusterId: "c", featureLevel: 1 };
  expect(foundingDetail({ ...founding, members: members.other })).toBe(
    foundingDetail({ members: members.one, ...founding }),
  );
});
