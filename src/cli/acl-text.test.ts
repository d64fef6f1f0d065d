import { describe, expect, it } from "vitest";
import { Permission } from "../client/index.ts";
import { aclEntry, aclEntryText, digestId } from "./acl-text.ts";
import { UsageError } from "./failure.ts";

describe("ACL entries", () => {
  it("are scheme, id and letters", () => {
    expect(aclEntry("world:anyone:rw")).toEqual({
      scheme: "world",
      id: "anyone",
      permissions: [Permission.READ, Permission.WRITE],
    });
  });

  it("have ids that hold colons, or nothing", () => {
    expect(aclEntry("ip:fe80::1:r").id).toBe("fe80::1");
    expect(aclEntry("digest:bob:abc=:a")).toEqual({
      scheme: "digest",
      id: "bob:abc=",
      permissions: [Permission.ADMIN],
    });
    expect(aclEntry("auth::cd")).toEqual({
      scheme: "auth",
      id: "",
      permissions: [Permission.CREATE, Permission.DELETE],
    });
  });

  it.each(["", "world", "world:anyone", "world:anyone:", "world:anyone:x", ":anyone:r"])("refuses %j", (text) => {
    expect(() => aclEntry(text)).toThrow(UsageError);
  });

  it.each(["world:anyone:rwcda", "digest:bob:abc=:ra", "ip:10.0.0.0/8:r"])("prints %s as it was read", (text) => {
    expect(aclEntryText(aclEntry(text))).toBe(text);
  });
});

it("computes the digest ZooKeeper documents for super:admin", () => {
  expect(digestId({ user: "super", password: "admin" })).toBe("super:xQJmxLMiHGwaqBvst5y6rkB6HQs=");
});
