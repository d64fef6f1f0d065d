/**
 * Writes znodes as files, the reverse of an import. A znode with data becomes a file, one without data a directory; a
 * znode that has both data and children becomes a directory with its data in a file named `.zabtree-data`.
 */
import { mkdir, readdir, readFile, unlink, writeFile } from "node:fs/promises";
import { basename, dirname, join } from "node:path";
import type { Znode } from "../client/index.ts";
import { CommandError } from "./failure.ts";
import { dataFileName } from "./import-plan.ts";

const filesAtOnce = 32;

export class FileWriter {
  files = 0;
  directories = 0;
  bytes = 0;
  private readonly directory: string;
  private readonly root: string;
  private readonly overwrite: boolean;
  /** Directories made so far. */
  private readonly made = new Set<string>();
  private writing: Promise<void>[] = [];

  /** `root` is the path of the znode that becomes `directory`. */
  constructor(directory: string, root: string, overwrite: boolean) {
    this.directory = directory;
    this.root = root;
    this.overwrite = overwrite;
  }

  /** Makes the directory; one that holds anything is refused unless it may be overwritten. */
  async prepare(): Promise<void> {
    const found = await entriesOf(this.directory);
    if (found.length > 0 && !this.overwrite) {
      throw new CommandError(`${this.directory} is not empty; --force writes into it all the same`);
    }
    await this.makeDirectory(this.directory);
  }

  /** Writes the next znodes of a walk in which parents come before children. */
  async write(znodes: readonly Znode[]): Promise<void> {
    for (const znode of znodes) {
      const target = this.targetOf(znode.path);
      if (znode.path !== this.root) await this.makeRoomBelow(dirname(target));
      const isDirectory = znode.data === undefined || znode.path === this.root || (znode.stat?.numChildren ?? 0) > 0;
      if (isDirectory) await this.makeDirectory(target);
      if (znode.data === undefined) continue;
      this.bytes += znode.data.length;
      if (!isDirectory) this.files++;
      this.writing.push(this.writeData(isDirectory ? join(target, dataFileName) : target, znode.data));
      if (this.writing.length >= filesAtOnce) await this.written();
    }
    await this.written();
  }

  private async written(): Promise<void> {
    const { writing } = this;
    this.writing = [];
    await Promise.all(writing);
  }

  private targetOf(path: string): string {
    if (path === this.root) return this.directory;
    const below = this.root === "/" ? path.slice(1) : path.slice(this.root.length + 1);
    if (basename(below) === dataFileName) {
      throw new CommandError(`${path} cannot be a file: the name ${dataFileName} is used for data of directories`);
    }
    return join(this.directory, below);
  }

  /** A znode may have got its first child after it was written as a file: the file becomes the directory's data. */
  private async makeRoomBelow(parent: string): Promise<void> {
    if (this.made.has(parent)) return;
    await this.written();
    const data = await readFile(parent);
    await unlink(parent);
    await this.makeDirectory(parent);
    await this.writeData(join(parent, dataFileName), data);
    this.files--;
  }

  private async makeDirectory(target: string): Promise<void> {
    if (this.made.has(target)) return;
    try {
      await mkdir(target, { recursive: target === this.directory || this.overwrite });
    } catch (error) {
      throw new CommandError(`cannot make the directory ${target}: ${(error as Error).message}`);
    }
    this.made.add(target);
    this.directories++;
  }

  private async writeData(target: string, data: Uint8Array): Promise<void> {
    try {
      await writeFile(target, data, { flag: this.overwrite ? "w" : "wx" });
    } catch (error) {
      throw new CommandError(`cannot write ${target}: ${(error as Error).message}`);
    }
  }
}

async function entriesOf(directory: string): Promise<string[]> {
  try {
    return await readdir(directory);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new CommandError(`cannot write to ${directory}: ${(error as Error).message}`);
  }
}
