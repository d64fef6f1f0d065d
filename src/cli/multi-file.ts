/**
 * The operations of `zabtree multi`: one JSON object a line, or one JSON array. Every field is checked, and an unknown
 * one is an error, because a misspelt `version` would otherwise make an operation unconditional.
 */
import { CreateMode, type MultiOperation } from "../client/index.ts";
import type { MessageInitShape } from "@bufbuild/protobuf";
import type { MultiOperationSchema } from "../../gen/ts/zabtree/v1/tree_pb.js";
import { aclEntry, type AclEntryInit } from "./acl-text.ts";
import { UsageError } from "./failure.ts";

export type MultiOperationInit = MessageInitShape<typeof MultiOperationSchema>;
type Operation = NonNullable<MultiOperation["operation"]>;
export type MultiOperationName = Exclude<Operation["case"], undefined>;

export const multiHelp = `
Operations:
  {"create": {"path": "/a", "data": "text", "mode": "persistent", "acl": ["world:anyone:r"]}}
  {"set":    {"path": "/a", "data": "text", "version": 3}}
  {"delete": {"path": "/a", "version": 3}}
  {"setAcl": {"path": "/a", "acl": ["world:anyone:r"], "version": 0}}
  {"check":  {"path": "/a", "version": 3}}     or "exists": true, or "exists": false
Only the path is required, of setAcl the acl, of check one condition. "dataBase64" takes the place of "data" for bytes
that are no text; without either there is no data. Modes: persistent, persistent-sequential.`;

const modes: Readonly<Record<string, CreateMode>> = {
  persistent: CreateMode.PERSISTENT,
  "persistent-sequential": CreateMode.PERSISTENT_SEQUENTIAL,
};

/** Reads the operations of a file or of stdin. */
export function parseMulti(text: string): MultiOperationInit[] {
  const trimmed = text.trim();
  if (trimmed === "") throw new UsageError("there are no operations");
  if (trimmed.startsWith("[")) {
    const list = parseJson(trimmed, "the array of operations");
    if (!Array.isArray(list)) throw new UsageError("the operations are not an array");
    return list.map((item, index) => parseOperation(item, `operation ${index}`));
  }
  const operations: MultiOperationInit[] = [];
  for (const [index, line] of text.split("\n").entries()) {
    if (line.trim() === "") continue;
    const where = `line ${index + 1}`;
    operations.push(parseOperation(parseJson(line, where), where));
  }
  return operations;
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${where} is not JSON: ${(error as Error).message}`);
  }
}

function parseOperation(value: unknown, where: string): MultiOperationInit {
  const entries = isObject(value) ? Object.entries(value) : [];
  const [entry] = entries;
  if (entry === undefined || entries.length !== 1) {
    throw new UsageError(`${where}: an operation is an object with one key: create, set, delete, setAcl or check`);
  }
  const [name, fields] = entry;
  if (!isObject(fields)) throw new UsageError(`${where}: the value of ${JSON.stringify(name)} is not an object`);
  const reader = new FieldReader(fields, `${where}: ${name}`);
  const operation = operationOf(name, reader, where);
  reader.finish();
  return { operation };
}

function operationOf(name: string, fields: FieldReader, where: string): NonNullable<MultiOperationInit["operation"]> {
  const path = fields.requiredString("path");
  switch (name) {
    case "create":
      return { case: "create", value: { path, data: fields.data(), mode: fields.mode(), acl: fields.acl() ?? [] } };
    case "set":
      return { case: "setData", value: { path, data: fields.data(), expectedVersion: fields.version() } };
    case "delete":
      return { case: "delete", value: { path, expectedVersion: fields.version() } };
    case "setAcl":
      return {
        case: "setAcl",
        value: { path, acl: fields.acl() ?? fields.missing("acl"), expectedAclVersion: fields.version() },
      };
    case "check": {
      const version = fields.version();
      const exists = fields.boolean("exists");
      if ((version === undefined) === (exists === undefined)) fields.fail("needs one of version and exists");
      if (version !== undefined)
        return { case: "check", value: { path, condition: { case: "version", value: version } } };
      return { case: "check", value: { path, condition: { case: "exists", value: exists === true } } };
    }
    default:
      throw new UsageError(
        `${where}: unknown operation ${JSON.stringify(name)}; there are create, set, delete, setAcl and check`,
      );
  }
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/** Takes fields out of an object, by type, and complains about those that are left. */
class FieldReader {
  private readonly fields: Map<string, unknown>;
  private readonly where: string;

  constructor(fields: Record<string, unknown>, where: string) {
    this.fields = new Map(Object.entries(fields));
    this.where = where;
  }

  fail(problem: string): never {
    throw new UsageError(`${this.where} ${problem}`);
  }

  missing(name: string): never {
    return this.fail(`needs ${JSON.stringify(name)}`);
  }

  finish(): void {
    const [unknown] = this.fields.keys();
    if (unknown !== undefined) this.fail(`has no field ${JSON.stringify(unknown)}`);
  }

  private take(name: string): unknown {
    const value = this.fields.get(name);
    this.fields.delete(name);
    return value;
  }

  private string(name: string): string | undefined {
    const value = this.take(name);
    if (value === undefined || typeof value === "string") return value;
    return this.fail(`takes a string as ${JSON.stringify(name)}`);
  }

  requiredString(name: string): string {
    return this.string(name) ?? this.missing(name);
  }

  boolean(name: string): boolean | undefined {
    const value = this.take(name);
    if (value === undefined || typeof value === "boolean") return value;
    return this.fail(`takes true or false as ${JSON.stringify(name)}`);
  }

  version(): number | undefined {
    const value = this.take("version");
    if (value === undefined) return undefined;
    if (typeof value === "number" && Number.isInteger(value) && Math.abs(value) <= 2_147_483_647) return value;
    return this.fail(`takes a whole number as "version"`);
  }

  data(): Uint8Array<ArrayBuffer> | undefined {
    const text = this.string("data");
    const base64 = this.string("dataBase64");
    if (text !== undefined && base64 !== undefined) this.fail("takes either data or dataBase64");
    if (text !== undefined) return new TextEncoder().encode(text);
    if (base64 === undefined) return undefined;
    const bytes = new Uint8Array(Buffer.from(base64, "base64"));
    // Buffer skips whatever is not base64.
    if (Buffer.from(bytes).toString("base64").replace(/=+$/, "") !== base64.replace(/=+$/, "")) {
      this.fail("has malformed base64 as dataBase64");
    }
    return bytes;
  }

  mode(): CreateMode {
    const name = this.string("mode");
    if (name === undefined) return CreateMode.PERSISTENT;
    return (
      modes[name] ??
      this.fail(`has an unknown mode ${JSON.stringify(name)}; there are ${Object.keys(modes).join(", ")}`)
    );
  }

  acl(): AclEntryInit[] | undefined {
    const value = this.take("acl");
    if (value === undefined) return undefined;
    if (!Array.isArray(value)) return this.fail(`takes a list of entries as "acl"`);
    return value.map((entry) => (typeof entry === "string" ? aclEntry(entry) : this.fail("takes strings in its acl")));
  }
}
