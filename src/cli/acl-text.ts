/** ACL entries as text: `scheme:id:permissions`, for example `world:anyone:r`. */
import { createHash } from "node:crypto";
import { Permission, type AclEntry } from "../client/index.ts";
import { UsageError } from "./failure.ts";
import type { UserPassword } from "../client/index.ts";

export const aclHelp = `
ACL entries have the form scheme:id:permissions. Permissions are letters: r read, w write the data, c create children,
d delete children, a set the ACL.
  world:anyone:r                      everyone
  digest:alice:BASE64:rwcda           whoever knows alice's password; see \`zabtree acl digest\`
  auth::rwcda                         the caller's own identities (--auth)
  ip:10.0.0.0/8:r                     an address or a network`;

const permissionLetters: ReadonlyMap<string, Permission> = new Map([
  ["r", Permission.READ],
  ["w", Permission.WRITE],
  ["c", Permission.CREATE],
  ["d", Permission.DELETE],
  ["a", Permission.ADMIN],
]);

export interface AclEntryInit {
  readonly scheme: string;
  readonly id: string;
  readonly permissions: Permission[];
}

/** Reads one entry. The id may hold colons of its own. */
export function aclEntry(text: string): AclEntryInit {
  const first = text.indexOf(":");
  const last = text.lastIndexOf(":");
  const letters = text.slice(last + 1);
  if (first <= 0 || last === first || !/^[rwcda]+$/.test(letters)) {
    throw new UsageError(
      `an ACL entry has the form scheme:id:permissions with permissions out of rwcda, not ${JSON.stringify(text)}`,
    );
  }
  const permissions = [...permissionLetters].filter(([letter]) => letters.includes(letter)).map(([, one]) => one);
  return { scheme: text.slice(0, first), id: text.slice(first + 1, last), permissions };
}

export function aclEntryText({ scheme, id, permissions }: Pick<AclEntry, "scheme" | "id" | "permissions">): string {
  const letters = [...permissionLetters].filter(([, one]) => permissions.includes(one)).map(([letter]) => letter);
  return `${scheme}:${id}:${letters.join("")}`;
}

/** The id of the digest scheme that belongs to a user and a password. */
export function digestId({ user, password }: UserPassword): string {
  return `${user}:${createHash("sha1").update(`${user}:${password}`).digest("base64")}`;
}
