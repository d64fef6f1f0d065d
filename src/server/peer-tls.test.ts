/** Which members a certificate names. */
import { describe, expect, it } from "vitest";
import { membersOf } from "./peer-tls.ts";

describe("a certificate", () => {
  it.each([
    ["DNS:zabtree-member-2", [2]],
    ["DNS:localhost, DNS:zabtree-member-2, IP Address:127.0.0.1", [2]],
    ["URI:spiffe://example.org/zabtree-member-12", [12]],
    ["DNS:zabtree-member-1, DNS:zabtree-member-2", [1, 2]],
  ])("names members: %s", (names, members) => {
    expect([...membersOf(names)]).toEqual(members);
  });

  it.each([
    [undefined],
    [""],
    ["DNS:zabtree-member-0"],
    ["DNS:zabtree-member-02"],
    ["DNS:zabtree-member-2.example.org"],
    ["DNS:xzabtree-member-2"],
    ["IP Address:zabtree-member-2"],
    ["email:zabtree-member-2"],
    ["URI:spiffe://zabtree-member-2/other"],
    // What Node makes of a name that holds a comma, a quote or a control character.
    ['URI:"http://x, DNS:zabtree-member-2, y"'],
    ['URI:"http://x\\", DNS:zabtree-member-2, y"'],
    ['othername:"x, DNS:zabtree-member-2"'],
  ])("names none: %s", (names) => {
    expect([...membersOf(names)]).toEqual([]);
  });
});
