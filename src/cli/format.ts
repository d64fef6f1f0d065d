/** Values as people read them. */
import Table from "cli-table3";
import type { Stat } from "../../gen/ts/zabtree/v1/common_pb.js";
import { ZnodeKind } from "../client/index.ts";
import { textOf } from "./json.ts";
import { bold } from "./output.ts";

export const noBorders = {
  top: "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  bottom: "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  left: "",
  "left-mid": "",
  mid: "",
  "mid-mid": "",
  right: "",
  "right-mid": "",
  middle: "  ",
};

/** Names and values, one pair a line. */
export function pairs(rows: readonly (readonly [string, string])[]): string {
  const table = new Table({ chars: noBorders, style: { "padding-left": 0, "padding-right": 0, head: [], border: [] } });
  for (const [name, value] of rows) table.push([bold(name), value]);
  return trimmedLines(table.toString());
}

export function trimmedLines(text: string): string {
  return text
    .split("\n")
    .map((line) => line.trimEnd())
    .join("\n");
}

export function time(ms: bigint | number): string {
  return new Date(Number(ms)).toISOString();
}

const units = ["B", "KiB", "MiB", "GiB", "TiB"];

/** A size with three significant digits: `1.46 MiB`. */
export function size(bytes: bigint | number): string {
  let value = Number(bytes);
  let unit = 0;
  while (value >= 1024 && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  const digits = unit === 0 || value >= 100 ? 0 : value >= 10 ? 1 : 2;
  return `${value.toFixed(digits)} ${units[unit] ?? ""}`;
}

/** A length of time by its two largest units: `3 d 4 h`, `12 s`. */
export function duration(ms: bigint | number): string {
  const seconds = Math.floor(Number(ms) / 1000);
  const parts: [number, string][] = [
    [Math.floor(seconds / 86_400), "d"],
    [Math.floor(seconds / 3600) % 24, "h"],
    [Math.floor(seconds / 60) % 60, "min"],
    [seconds % 60, "s"],
  ];
  const first = parts.findIndex(([count]) => count > 0);
  if (first < 0) return "0 s";
  return parts
    .slice(first, first + 2)
    .filter(([count]) => count > 0)
    .map(([count, unit]) => `${count} ${unit}`)
    .join(" ");
}

/** `1 znode`, `2 znodes`. */
export function count(number: bigint | number, thing: string): string {
  const plural = thing.endsWith("y") ? `${thing.slice(0, -1)}ies` : `${thing}s`;
  return `${number} ${Number(number) === 1 ? thing : plural}`;
}

/** Data in one line: its text where it has one, quoted, else its length. */
export function dataPreview(data: Uint8Array | undefined): string {
  if (data === undefined) return "no data";
  const text = textOf(data);
  return text === undefined ? `(${count(data.length, "byte")})` : quoted(text);
}

/** JSON leaves some control characters alone, which a terminal would obey. */
function quoted(text: string): string {
  return JSON.stringify(text).replace(/[\u007f-\u009f]/g, (control) => {
    return `\\u${control.charCodeAt(0).toString(16).padStart(4, "0")}`;
  });
}

/** All fields of a Stat, a line each, under ZooKeeper's names. */
export function statTable(stat: Stat): string {
  return pairs([
    ["kind", ZnodeKind[stat.kind].toLowerCase()],
    ["czxid", String(stat.czxid)],
    ["ctime", time(stat.ctimeMs)],
    ["mzxid", String(stat.mzxid)],
    ["mtime", time(stat.mtimeMs)],
    ["pzxid", String(stat.pzxid)],
    ["version", String(stat.version)],
    ["cversion", String(stat.cversion)],
    ["aversion", String(stat.aversion)],
    ["ephemeralOwner", String(stat.ephemeralOwner)],
    ["dataLength", String(stat.dataLength)],
    ["numChildren", String(stat.numChildren)],
    ["nextSequence", String(stat.nextSequence)],
  ]);
}
