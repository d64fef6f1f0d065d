/** Copies of the tree, in which bugs can be planted. */
import { cpSync, mkdtempSync, readFileSync, rmSync, symlinkSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { root, run } from "../../scripts/lib.ts";

const copied = ["src", "gen", "test", "scripts", "package.json", "tsconfig.json"];

export class Scratch {
  private readonly top = mkdtempSync(join(tmpdir(), "zabtree-planted-"));
  /** The tree as it is. */
  readonly clean = join(this.top, "clean");

  constructor() {
    for (const entry of copied) cpSync(join(root, entry), join(this.clean, entry), { recursive: true });
    linkModules(this.clean);
  }

  /** A copy with one bug; or why that cannot be made. */
  async plant(name: string, patch: string): Promise<{ tree: string } | { problem: string }> {
    const tree = join(this.top, name);
    for (const entry of copied) cpSync(join(this.clean, entry), join(tree, entry), { recursive: true });
    linkModules(tree);
    // Without a repository around it, git applies to the files of this folder; it takes no fuzz.
    const env = { GIT_CEILING_DIRECTORIES: this.top };
    const { code, output } = await run(["git", "apply", "--verbose", patch], { cwd: tree, env });
    if (code !== 0) return { problem: output.trim() };
    const touched = [...readFileSync(patch, "utf8").matchAll(/^\+\+\+ b\/(\S+)/gm)].map((match) => match[1] ?? "");
    const same = touched.filter((file) => {
      return readFileSync(join(tree, file), "utf8") === readFileSync(join(this.clean, file), "utf8");
    });
    if (touched.length === 0 || same.length > 0) return { problem: `nothing changed in ${same.join(", ")}` };
    return { tree };
  }

  remove(tree: string): void {
    rmSync(tree, { recursive: true, force: true });
  }

  end(): void {
    this.remove(this.top);
  }
}

function linkModules(tree: string): void {
  symlinkSync(join(root, "node_modules"), join(tree, "node_modules"));
}
