/**
 * Deletes a subtree of any size. What fits goes in one transaction; what does not is taken apart from below, children
 * without children of their own by the thousand, so that memory stays bounded however wide or deep the tree is.
 */
import { ZabtreeError, type Connection } from "../client/index.ts";
import { childPath } from "./znode-path.ts";

const batchSize = 1000;

/** Returns how many znodes were deleted. */
export async function deleteTree(connection: Connection, path: string): Promise<number> {
  let deleted = 0;
  for (;;) {
    try {
      const answer = await connection.tree.deleteSubtree({ path });
      return deleted + Number(answer.deleted);
    } catch (error) {
      if (!(error instanceof ZabtreeError && error.reason === "SUBTREE_TOO_LARGE")) throw error;
    }
    const before = deleted;
    deleted += await deleteChildren(connection, path);
    // Somebody creates as fast as this deletes, or nothing below may be deleted: the server says which.
    if (deleted === before) {
      const answer = await connection.tree.deleteSubtree({ path });
      return deleted + Number(answer.deleted);
    }
  }
}

async function deleteChildren(connection: Connection, path: string): Promise<number> {
  let deleted = 0;
  for await (const page of connection.childPages(path, { includeStat: true, pageSize: batchSize })) {
    const leaves: string[] = [];
    for (const { name, stat } of page) {
      const child = childPath(path, name);
      if (stat !== undefined && stat.numChildren === 0) leaves.push(child);
      else deleted += await deleteIfThere(connection, child);
    }
    deleted += await deleteLeaves(connection, leaves);
  }
  return deleted;
}

async function deleteIfThere(connection: Connection, path: string): Promise<number> {
  try {
    return await deleteTree(connection, path);
  } catch (error) {
    if (error instanceof ZabtreeError && error.reason === "NO_NODE") return 0;
    throw error;
  }
}

/** Deletes all of them in one transaction. One that is gone, or has got a child meanwhile, is left to the next round. */
async function deleteLeaves(connection: Connection, leaves: readonly string[]): Promise<number> {
  let rest = [...leaves];
  while (rest.length > 0) {
    try {
      await connection.tree.multi({
        operations: rest.map((path) => ({ operation: { case: "delete", value: { path } } })),
      });
      return rest.length;
    } catch (error) {
      if (!(error instanceof ZabtreeError)) throw error;
      const index = Number(error.metadata["operation"] ?? "NaN");
      if ((error.reason !== "NO_NODE" && error.reason !== "NOT_EMPTY") || !(index in rest)) throw error;
      rest = rest.filter((_, at) => at !== index);
    }
  }
  return 0;
}
