/** Sizes of the files and the space left, refreshed once a second: cheap to ask for, and never far off. */
import { statfsSync, statSync } from "node:fs";
import { join } from "node:path";

const intervalMs = 1000;

export interface DiskUse {
  readonly logBytes: number;
  readonly checkpointBytes: number;
  readonly freeBytes: number;
}

export class DiskWatch {
  private readonly dataDir: string;
  private readonly timer: NodeJS.Timeout;
  current: DiskUse;

  constructor(dataDir: string) {
    this.dataDir = dataDir;
    this.current = this.measure();
    this.timer = setInterval(() => {
      try {
        this.current = this.measure();
      } catch {
        // A disk that cannot be asked is one that should not be filled further.
        this.current = { ...this.current, freeBytes: 0 };
      }
    }, intervalMs);
    this.timer.unref();
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private measure(): DiskUse {
    const { bavail, bsize } = statfsSync(this.dataDir);
    return {
      logBytes: this.size("log.db") + this.size("log.db-wal"),
      checkpointBytes: this.size("tree.db") + this.size("tree.db-wal"),
      freeBytes: bavail * bsize,
    };
  }

  private size(name: string): number {
    return statSync(join(this.dataDir, name), { throwIfNoEntry: false })?.size ?? 0;
  }
}
