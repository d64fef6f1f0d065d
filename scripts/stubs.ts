/** Tests the stubs of other languages, each with its own tool, on the oldest and on the newest runtime promised. */
import { join } from "node:path";
import { finish, root, run } from "./lib.ts";

const environment = await run([join(root, "scripts", "python-env.sh")]);
let passed = 0;
let failed = 0;

if (environment.code === 0) {
  for (const name of ["oldest", "newest"]) {
    const python = join(root, ".venv", name, "bin", "python");
    console.log(`Python, ${name} runtimes:`);
    const { code, output } = await run([python, "-m", "pytest", "-q", ...process.argv.slice(2), "test/stubs/python"]);
    console.log(output.trimEnd());
    const counted = (word: string): number => Number(new RegExp(`(\\d+) ${word}`).exec(lastLine(output))?.[1] ?? 0);
    const bad = counted("failed") + counted("errors?");
    passed += counted("passed");
    failed += bad === 0 && code !== 0 ? 1 : bad;
  }
} else {
  console.error(`The Python environments cannot be made:\n${environment.output}`);
  failed++;
}
finish("stubs", passed, failed);

function lastLine(text: string): string {
  return text.trimEnd().split("\n").at(-1) ?? "";
}
