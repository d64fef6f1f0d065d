/** ACL entries as text: `scheme:id:permissions`, for example `world:anyone:r`. */
import { createHash } from "node:crypto";
import { Permission, type AclEntry } from "../client/index.ts";
import { formatPermissions, parseAclEntry } from "../tree/acl.ts";
import { UsageError } from "./failure.ts";
import type { UserPassword } from "../client/index.ts";

export const aclHelp = `
ACL entries have the form scheme:id:permissions. Permissions are letters: r read, w write the data, c create children,
d delete children, a set the ACL.
  world:anyone:r                      everyone
  digest:alice:BASE64:rwcda           whoever knows alice's password; see \`zabtree acl digest\`
  auth::rwcda                         the caller's own identities (--auth)
  ip:10.0.0.0/8:r                     an address or a network`;

/** In the order of the bits of tree/acl.ts. */
const permissions = [
  Permission.READ,
  Permission.WRITE,
  Permission.CREATE,
  Permission.DELETE,
  Permission.ADMIN,
] as const;

export interface AclEntryInit {
  readonly scheme: string;
  readonly id: string;
  readonly permissions: Permission[];
}

/** Reads one entry. */
export function aclEntry(text: string): AclEntryInit {
  const entry = parseAclEntry(text);
  if (entry === undefined) {
    throw new UsageError(
      `an ACL entry has the form scheme:id:permissions with permissions out of rwcda, not ${JSON.stringify(text)}`,
    );
  }
  const { scheme, id } = entry;
  return { scheme, id, permissions: permissions.filter((_, index) => (entry.permissions & (1 << index)) !== 0) };
}

export function aclEntryText(entry: Pick<AclEntry, "scheme" | "id" | "permissions">): string {
  let bits = 0;
  for (const permission of entry.permissions) {
    const index = permissions.findIndex((known) => known === permission);
    if (index >= 0) bits |= 1 << index;
  }
  return `${entry.scheme}:${entry.id}:${formatPermissions(bits)}`;
}

/** The id of the digest scheme that belongs to a user and a password. */
export function digestId({ user, password }: UserPassword): string {
  return `${user}:${createHash("sha1").update(`${user}:${password}`).digest("base64")}`;
}
