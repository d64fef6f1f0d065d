/** Rewrites what can be put right without thinking: lint fixes and formatting. */
import { must, root, run, stating } from "./lib.ts";

await stating("fix", async () => {
  const paths = process.argv.slice(2);
  const lint = await run(["eslint", "--fix", "--no-warn-ignored", ...(paths.length > 0 ? paths : ["."])]);
  if (lint.output !== "") console.log(lint.output);
  await must(["prettier", "--write", "--log-level", "warn", ...(paths.length > 0 ? paths : ["."])], { cwd: root });
  return lint.code === 0 ? "lint and format are in order" : "formatted; lint has findings that need a decision";
});
