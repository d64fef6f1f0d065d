/** Compiles `src/` to `dist/`, for the package. */
import { readdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { must, root, stating } from "./lib.ts";

await stating("build", async () => {
  await rm(join(root, "dist"), { recursive: true, force: true });
  await must(["tsc", "-p", "tsconfig.build.json"]);
  const files = await readdir(join(root, "dist"), { recursive: true });
  return `${String(files.filter((name) => name.endsWith(".js")).length)} modules compiled into dist/`;
});
