/**
 * Paths of znodes: ZooKeeper's rules, applied everywhere alike. Counted in UTF-16 code units, where the ranges refused
 * include the surrogates, so that UTF-16 order, code point order and the byte order of UTF-8 are one and the same.
 */
import { utf8Length } from "../base/bytes.ts";
import { limits } from "../base/limits.ts";

/** Why a path is malformed; undefined when it is not. */
export function pathProblem(path: string): string | undefined {
  if (path === "") return "a path must not be empty";
  if (path.charCodeAt(0) !== slash) return "a path must begin with /";
  if (path.length === 1) return undefined;
  let elementStart = 1;
  let ascii = true;
  for (let i = 1; i <= path.length; i++) {
    const unit = i < path.length ? path.charCodeAt(i) : slash;
    if (unit === slash) {
      const length = i - elementStart;
      if (length === 0) return i === path.length ? "a path must not end with /" : "a path must not have empty elements";
      if (length <= 2 && isDots(path, elementStart, length)) return "a path must not have . or .. elements";
      elementStart = i + 1;
    } else if (unit < 0x20 || (unit >= 0x7f && isRefused(unit))) {
      return `a path must not contain U+${unit.toString(16).toUpperCase().padStart(4, "0")}`;
    } else if (unit > 0x7f) ascii = false;
  }
  if (path.length > limits.path || (!ascii && utf8Length(path) > limits.path)) {
    return `a path must not exceed ${limits.path} bytes`;
  }
  return undefined;
}

const slash = 0x2f;

function isDots(path: string, at: number, length: number): boolean {
  for (let i = at; i < at + length; i++) if (path.charCodeAt(i) !== 0x2e) return false;
  return true;
}

function isRefused(unit: number): boolean {
  return unit <= 0x9f || (unit >= 0xd800 && unit <= 0xf8ff) || unit >= 0xfff0;
}

/** The path of the parent; "/" for the children of the root. The root has no parent: callers exclude it. */
export function parentPath(path: string): string {
  const at = path.lastIndexOf("/");
  return at <= 0 ? "/" : path.slice(0, at);
}

/** The last element. */
export function nameOf(path: string): string {
  return path.slice(path.lastIndexOf("/") + 1);
}

/** The path of a child. */
export function childPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** Whether `path` is `ancestor` itself or lies below it. */
export function isAtOrBelow(path: string, ancestor: string): boolean {
  if (ancestor === "/") return true;
  if (!path.startsWith(ancestor)) return false;
  return path.length === ancestor.length || path.charCodeAt(ancestor.length) === slash;
}

/**
 * The order of a walk over the tree: parents before children, siblings in the byte order of their names. Negative
 * when `a` comes first. Comparing whole paths as strings would put `/a!` between `/a` and `/a/b`.
 */
export function compareWalkOrder(a: string, b: string): number {
  if (a === b) return 0;
  if (a === "/") return -1;
  if (b === "/") return 1;
  const length = Math.min(a.length, b.length);
  for (let i = 0; i < length; i++) {
    const x = a.charCodeAt(i);
    const y = b.charCodeAt(i);
    if (x === y) continue;
    if (x === slash) return -1;
    if (y === slash) return 1;
    return x - y;
  }
  return a.length - b.length;
}

/** The name a sequential create gets: the number padded to ten digits, longer when it needs more. */
export function sequentialPath(path: string, sequence: number): string {
  return path + String(sequence).padStart(10, "0");
}

/** Znodes that exist from the start and cannot be deleted. */
export const reservedPaths: ReadonlySet<string> = new Set(["/", "/zookeeper", "/zookeeper/config", "/zookeeper/quota"]);
