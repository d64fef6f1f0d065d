import { describe, expect, it } from "vitest";
import { CreateMode } from "../client/index.ts";
import { UsageError } from "./failure.ts";
import { parseMulti } from "./multi-file.ts";

const bytes = (text: string) => new TextEncoder().encode(text);

describe("operations", () => {
  it("come one a line, blank lines apart", () => {
    const operations = parseMulti('{"delete": {"path": "/a"}}\n\n{"delete": {"path": "/b", "version": 2}}\n');
    expect(operations.map((one) => one.operation)).toEqual([
      { case: "delete", value: { path: "/a", expectedVersion: undefined } },
      { case: "delete", value: { path: "/b", expectedVersion: 2 } },
    ]);
  });

  it("come as one array over several lines", () => {
    const operations = parseMulti('[\n {"check": {"path": "/a", "exists": false}},\n {"set": {"path": "/b"}}\n]');
    expect(operations.map((one) => one.operation)).toEqual([
      { case: "check", value: { path: "/a", condition: { case: "exists", value: false } } },
      { case: "setData", value: { path: "/b", data: undefined, expectedVersion: undefined } },
    ]);
  });

  it("take data as text, as base64, as empty, or not at all", () => {
    const datas = ['"data": "hé"', '"dataBase64": "AP8="', '"data": ""', '"mode": "persistent"'].map((field) => {
      const operation = parseMulti(`{"create": {"path": "/a", ${field}}}`)[0]?.operation;
      return operation?.case === "create" ? operation.value.data : "not a create";
    });
    expect(datas).toEqual([bytes("hé"), new Uint8Array([0, 255]), new Uint8Array(0), undefined]);
  });

  it("take a mode and an ACL", () => {
    const text = '{"create": {"path": "/a", "mode": "persistent-sequential", "acl": ["world:anyone:r"]}}';
    expect(parseMulti(text)[0]?.operation?.value).toMatchObject({
      mode: CreateMode.PERSISTENT_SEQUENTIAL,
      acl: [{ scheme: "world", id: "anyone" }],
    });
  });
});

describe("mistakes are named with their place", () => {
  it.each([
    ["", "no operations"],
    ['{"delete": {"path": "/a"}}\n{"delete"', "line 2 is not JSON"],
    ['[{"delete": {"path": "/a"}}, {"move": {"path": "/a"}}]', 'operation 1: unknown operation "move"'],
    ['{"set": {"path": "/a", "verison": 3}}', 'line 1: set has no field "verison"'],
    ['{"set": {"data": "x"}}', 'line 1: set needs "path"'],
    ['{"set": {"path": "/a", "version": "3"}}', "whole number"],
    ['{"set": {"path": "/a", "version": 1.5}}', "whole number"],
    ['{"set": {"path": "/a", "data": "x", "dataBase64": "eA=="}}', "either data or dataBase64"],
    ['{"set": {"path": "/a", "dataBase64": "e!"}}', "malformed base64"],
    ['{"setAcl": {"path": "/a"}}', 'setAcl needs "acl"'],
    ['{"check": {"path": "/a"}}', "one of version and exists"],
    ['{"check": {"path": "/a", "version": 1, "exists": true}}', "one of version and exists"],
    ['{"create": {"path": "/a", "mode": "ephemeral"}}', 'unknown mode "ephemeral"'],
    ['{"create": {"path": "/a"}, "delete": {"path": "/a"}}', "an object with one key"],
    ['{"create": "/a"}', "is not an object"],
  ])("%s", (text, message) => {
    expect(() => parseMulti(text)).toThrow(UsageError);
    expect(() => parseMulti(text)).toThrow(message);
  });
});
