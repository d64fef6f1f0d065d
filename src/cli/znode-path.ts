/**
 * Paths of znodes, as far as commands build them. The server enforces the rules of the contract; they are repeated
 * here because an import tells what cannot be imported before it writes anything.
 */
import { limits } from "../base/limits.ts";

/** Why a path is malformed; undefined when it is not. */
export function pathProblem(path: string): string | undefined {
  if (!path.startsWith("/")) return "a path begins with /";
  if (path === "/") return undefined;
  for (const element of path.slice(1).split("/")) {
    if (element === "") return "a path has no empty elements";
    if (element === "." || element === "..") return "a path has no . or .. elements";
  }
  const refused = refusedCharacters.exec(path)?.[0];
  if (refused !== undefined) {
    return `a path has no character U+${refused.charCodeAt(0).toString(16).toUpperCase().padStart(4, "0")}`;
  }
  return Buffer.byteLength(path) > limits.path ? `a path has at most ${limits.path} bytes` : undefined;
}

/** Controls, surrogates with the private use area behind them, and the specials. */
// eslint-disable-next-line no-control-regex -- control characters are what it looks for
const refusedCharacters = /[\u0000-\u001f\u007f-\u009f\ud800-\uf8ff\ufff0-\uffff]/;

/** The path of the parent; "/" for the children of the root. */
export function parentPath(path: string): string {
  const at = path.lastIndexOf("/");
  return at <= 0 ? "/" : path.slice(0, at);
}

/** The path of a child. */
export function childPath(parent: string, name: string): string {
  return parent === "/" ? `/${name}` : `${parent}/${name}`;
}

/** Whether `path` is `ancestor` itself or lies below it. */
export function isAtOrBelow(path: string, ancestor: string): boolean {
  return ancestor === "/" || path === ancestor || path.startsWith(`${ancestor}/`);
}
