import { describe, expect, it } from "vitest";
import { anyone, caller, create, identity, setAcl, setData, TreeLeader } from "../../test/support/tree-leader.ts";
import {
  AclTable,
  formatAcl,
  isGranted,
  normalizeAcl,
  openAclId,
  parseAcl,
  parseNetwork,
  readOnlyAclId,
  type Acl,
} from "./acl.ts";

function entry(text: string): Acl[number] {
  const [permissions, ...rest] = text.split(" ");
  return { permissions: Number(permissions), ...identity(rest.join(" ")) };
}

function acl(...texts: string[]): Acl {
  return texts.map(entry);
}

const bob = ["digest:bob:B"].map(identity);
const bobAndAlice = ["digest:bob:B", "ip:10.0.0.1", "digest:alice:A"].map(identity);

describe("an ACL is refused", () => {
  const malformed: readonly (readonly [string, Acl])[] = [
    ["without entries", []],
    ["without permissions in an entry", acl("0 world:anyone")],
    ["with permissions that do not exist", acl("32 world:anyone")],
    ["with negative permissions", acl("-1 world:anyone")],
    ["with world and another id", acl("31 world:someone")],
    ["with an unknown scheme", acl("31 sasl:bob")],
    ["with an empty scheme", acl("31 :bob")],
    ["with a scheme in capitals", acl("31 WORLD:anyone")],
    ["with a digest without a hash", acl("31 digest:bob")],
    ["with a digest of three parts", acl("31 digest:bob:B:C")],
    ["with a digest without a user", acl("31 digest::B")],
    ["with a digest with an empty hash", acl("31 digest:bob:")],
    ["with a space in an id", acl("31 digest:b ob:B")],
    ["with a comma in an id", acl("31 digest:b,ob:B")],
    ["with a line break in an id", acl("31 digest:bob:B\n")],
    ["with half a surrogate pair in an id", acl("31 digest:b\ud800b:B")],
    ["with an id that is too long", acl(`31 digest:bob:${"x".repeat(253)}`)],
    ["with no address", acl("31 ip:localhost")],
    ["with one bad entry among good ones", acl("31 world:anyone", "31 world:someone")],
    ["with more entries than allowed", new Array<Acl[number]>(65).fill(entry("31 world:anyone"))],
  ];
  for (const [name, given] of malformed) {
    it(name, () => {
      expect(normalizeAcl(given, bob)).toBeTypeOf("string");
      expect(new TreeLeader().outcome(create("/x", { acl: given }))).toBe("INVALID_ACL");
    });
  }
});

describe("an ACL is kept", () => {
  it("as it was given, in its order", () => {
    const given = acl("1 world:anyone", "31 digest:bob:B", "5 ip:10.0.0.0/8", "2 digest:bob:B");
    expect(normalizeAcl(given, [])).toEqual(given);
  });

  it("without exact duplicates", () => {
    const given = acl("1 world:anyone", "1 world:anyone", "3 world:anyone");
    expect(normalizeAcl(given, [])).toEqual(acl("1 world:anyone", "3 world:anyone"));
  });

  it("with 64 entries and with an id of 256 bytes", () => {
    const most = Array.from({ length: 64 }, (_, index) => entry(`31 digest:user${index}:B`));
    expect(normalizeAcl(most, [])).toHaveLength(64);
    expect(normalizeAcl(acl(`31 digest:bob:${"x".repeat(252)}`), [])).toHaveLength(1);
  });
});

describe("the auth scheme", () => {
  it("stands for all authenticated identities of the caller, whatever its id says", () => {
    expect(normalizeAcl(acl("31 auth:"), bobAndAlice)).toEqual(acl("31 digest:bob:B", "31 digest:alice:A"));
    expect(normalizeAcl(acl("31 auth:ignored"), bob)).toEqual(acl("31 digest:bob:B"));
  });

  it("is dropped where it repeats another entry", () => {
    const given = acl("31 digest:bob:B", "31 auth:", "1 auth:");
    expect(normalizeAcl(given, bob)).toEqual(acl("31 digest:bob:B", "1 digest:bob:B"));
  });

  it("needs an identity, and an address is none", () => {
    expect(normalizeAcl(acl("31 auth:"), [])).toBeTypeOf("string");
    expect(normalizeAcl(acl("31 auth:"), ["ip:10.0.0.1"].map(identity))).toBeTypeOf("string");
    expect(new TreeLeader().outcome(create("/x", { acl: acl("31 auth:") }), caller(7, "ip:10.0.0.1"))).toBe(
      "INVALID_ACL",
    );
  });

  it("does not grow an ACL beyond what is allowed", () => {
    const eight = Array.from({ length: 8 }, (_, index) => identity(`digest:user${index}:B`));
    const permissions = Array.from({ length: 31 }, (_, index) => entry(`${index + 1} auth:`));
    expect(normalizeAcl(permissions.slice(0, 8), eight)).toHaveLength(64);
    expect(normalizeAcl(permissions, eight)).toBeTypeOf("string");
  });

  it("refuses identities that an ACL cannot name", () => {
    expect(normalizeAcl(acl("31 auth:"), [{ scheme: "digest", id: "bob, world:anyone:B" }])).toBeTypeOf("string");
  });
});

describe("access", () => {
  const bits = { read: 1, write: 2, create: 4, delete: 8, admin: 16 };

  it("is granted by any entry that matches any identity; nothing denies", () => {
    const list = acl("1 world:anyone", "2 digest:bob:B", "16 digest:alice:A");
    const granted = (needed: number, ...who: string[]): boolean => isGranted(list, needed, who.map(identity));
    expect(granted(bits.read)).toBe(true);
    expect(granted(bits.write)).toBe(false);
    expect(granted(bits.write, "digest:bob:B")).toBe(true);
    expect(granted(bits.write, "digest:bob:other")).toBe(false);
    expect(granted(bits.admin, "digest:bob:B")).toBe(false);
    expect(granted(bits.admin, "digest:bob:B", "digest:alice:A")).toBe(true);
    expect(granted(bits.delete, "digest:bob:B", "digest:alice:A")).toBe(false);
  });

  it("is granted when any of several permissions is enough", () => {
    expect(isGranted(acl("16 digest:bob:B"), bits.read | bits.admin, bob)).toBe(true);
    expect(isGranted(acl("2 digest:bob:B"), bits.read | bits.admin, bob)).toBe(false);
  });

  it("is not inherited", () => {
    const leader = new TreeLeader();
    leader.do(create("/open"));
    leader.do(create("/open/bobs", { acl: acl("31 digest:bob:B") }));
    leader.do(create("/open/bobs/open", { acl: acl("31 world:anyone") }), caller(7, "digest:bob:B"));
    expect(leader.outcome(setData("/open/bobs"))).toBe("NO_AUTH");
    expect(leader.outcome(setData("/open/bobs/open"))).toBe("ok");
  });

  it("follows the ACL that a waiting transaction sets", () => {
    const leader = new TreeLeader();
    leader.do(create("/x"));
    leader.propose(setAcl("/x", acl("31 digest:bob:B")));
    expect(leader.propose(setData("/x")).refusal?.reason).toBe("NO_AUTH");
    expect(leader.propose(setData("/x"), caller(7, "digest:bob:B")).refusal).toBeUndefined();
    leader.apply();
    expect(leader.outcome(setData("/x"))).toBe("NO_AUTH");
    expect(leader.outcome(setData("/x"), caller(7, "digest:bob:B"))).toBe("ok");
  });
});

describe("networks", () => {
  const matches: readonly (readonly [string, string, boolean])[] = [
    ["10.1.2.3", "10.1.2.3", true],
    ["10.1.2.3", "10.1.2.4", false],
    ["10.0.0.0/8", "10.255.0.1", true],
    ["10.0.0.0/8", "11.0.0.1", false],
    ["10.1.2.3/8", "10.9.9.9", true],
    ["192.168.4.0/22", "192.168.7.255", true],
    ["192.168.4.0/22", "192.168.8.0", false],
    ["10.1.2.2/31", "10.1.2.3", true],
    ["10.1.2.2/31", "10.1.2.4", false],
    ["10.1.2.3/32", "10.1.2.3", true],
    ["0.0.0.0/0", "203.0.113.9", true],
    ["0.0.0.0/0", "2001:db8::1", false],
    ["::/0", "10.1.2.3", false],
    ["2001:db8::/32", "2001:db8:1::5", true],
    ["2001:db8::/32", "2001:db9::5", false],
    ["2001:db8::1", "2001:DB8:0:0:0:0:0:1", true],
    ["fe80::/10", "febf::1", true],
    ["fe80::/10", "fec0::1", false],
    ["::ffff:10.0.0.0/104", "::ffff:10.9.9.9", true],
    ["::1", "0:0:0:0:0:0:0.0.0.1", true],
  ];
  for (const [network, address, expected] of matches) {
    it(`${network} ${expected ? "holds" : "does not hold"} ${address}`, () => {
      expect(isGranted(acl(`1 ip:${network}`), 1, [{ scheme: "ip", id: address }])).toBe(expected);
    });
  }

  const malformed = [
    ..."|1|1.2.3|1.2.3.4.5|256.1.1.1|1.2.3.a|1.2.3.4/|1.2.3.4/33|1.2.3.4/-1|1.2.3.4/8/8|1.2.3.4/x|-1.2.3.4".split("|"),
    ...":|:::|::1::|1:2:3:4:5:6:7|1:2:3:4:5:6:7:8:9|1:2:3:4:5:6:7:8::|::12345|::g|:1:2:3:4:5:6:7|1:2:3:4:5:6:7:".split(
      "|",
    ),
    ..."::1/129|fe80::1%eth0|1.2.3.4::|1.2.3.4::1|::1.2.3|::1.2.3.4:5|1:2:3:4:5:6:7:1.2.3.4".split("|"),
  ];
  for (const text of malformed) {
    it(`${JSON.stringify(text)} is none`, () => expect(parseNetwork(text)).toBeUndefined());
  }

  const wellFormed = "::|::1|1::|1:2:3:4:5:6:7::|::2:3:4:5:6:7:8|1:2:3:4:5:6:1.2.3.4|::1.2.3.4|2001:db8::/0|0.0.0.0/0";
  for (const text of wellFormed.split("|")) {
    it(`${text} is one`, () => expect(parseNetwork(text)).toBeDefined());
  }
});

describe("as text", () => {
  it("an ACL survives formatting and parsing", () => {
    const list = acl("31 world:anyone", "1 digest:bob:B=", "16 ip:2001:db8::/32", "10 ip:10.0.0.0/8");
    expect(formatAcl(list)).toBe("world:anyone:rwcda, digest:bob:B=:r, ip:2001:db8::/32:a, ip:10.0.0.0/8:wd");
    expect(parseAcl(formatAcl(list))).toEqual(list);
  });

  it("nonsense is refused", () => {
    for (const text of ["", "world", "world:anyone", "world:anyone:", "world:anyone:x", ":anyone:r", "a:b:r, c"]) {
      expect(parseAcl(text)).toBeUndefined();
    }
  });
});

describe("the table of ACLs", () => {
  it("knows the open and the readable ACL from the start", () => {
    const table = new AclTable();
    expect([table.text(openAclId), table.text(readOnlyAclId)]).toEqual(["world:anyone:rwcda", "world:anyone:r"]);
    expect([table.allows(openAclId, 31, []), table.allows(readOnlyAclId, 2, [])]).toEqual([true, false]);
    expect(table.allows(readOnlyAclId, 1, [])).toBe(true);
  });

  it("gives numbers without gaps and finds an ACL by its text", () => {
    const table = new AclTable();
    table.add(3, "digest:bob:B:r");
    expect([table.find("digest:bob:B:r"), table.find("digest:bob:B:w"), table.nextId]).toEqual([3, undefined, 4]);
    expect(() => table.add(5, "digest:bob:B:w")).toThrow("without gaps");
    expect(() => table.get(4)).toThrow("not in the table");
    expect(table.rows()).toEqual([
      { id: 1, entries: "world:anyone:rwcda" },
      { id: 2, entries: "world:anyone:r" },
      { id: 3, entries: "digest:bob:B:r" },
    ]);
  });
});

describe("without an ACL in the request, a new znode", () => {
  const created = (creatorOwned: boolean, by = caller(7, "ip:10.0.0.1", "digest:bob:B")): string => {
    const leader = new TreeLeader(undefined, { creatorOwned });
    leader.do(create("/x"), by);
    return leader.aclText("/x");
  };

  it("is open to everyone", () => {
    expect(created(false)).toBe("world:anyone:rwcda");
  });

  it("belongs to its creator where the server says so", () => {
    expect(created(true)).toBe("digest:bob:B:rwcda");
  });

  it("is open all the same when its creator has no identity but an address", () => {
    expect(created(true, anyone)).toBe("world:anyone:rwcda");
    expect(created(true, caller(7, "ip:10.0.0.1"))).toBe("world:anyone:rwcda");
  });
});

it("an identity that no ACL can name is no reason to fail, only to refuse", () => {
  const leader = new TreeLeader(undefined, { creatorOwned: true });
  const unnameable = caller(7, `digest:${"日".repeat(100)}:B`);
  expect(leader.outcome(create("/x"), unnameable)).toBe("INVALID_ACL");
  expect(leader.outcome(create("/x", { acl: acl("31 world:anyone") }), unnameable)).toBe("ok");
});

it("the config znode can be read by everyone and changed by no one", () => {
  const leader = new TreeLeader();
  expect(leader.outcome(setData("/zookeeper/config"))).toBe("NO_AUTH");
  expect(leader.outcome(setAcl("/zookeeper/config", acl("31 world:anyone")))).toBe("NO_AUTH");
  expect(leader.outcome(create("/zookeeper/config/x"))).toBe("NO_AUTH");
  expect(leader.outcome(create("/zookeeper/quota/x"))).toBe("ok");
});
