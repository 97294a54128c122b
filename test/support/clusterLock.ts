import { createHash } from "node:crypto";
import { readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { setTimeout as sleep } from "node:timers/promises";

/** Waits until no other process of this machine tests on the cluster of this kubeconfig; the answer gives it back. */
export const lockCluster = async (kubeconfig: string): Promise<() => Promise<void>> => {
  const name = createHash("sha256")
    .update(await readFile(kubeconfig))
    .digest("hex")
    .slice(0, 16);
  return lock(join(tmpdir(), `aetherv-cluster-${name}.lock`));
};

/** Waits until no other process of this machine holds the lock file; the answer gives it back. */
export const lock = async (path: string): Promise<() => Promise<void>> => {
  for (;;) {
    try {
      await writeFile(path, String(process.pid), { flag: "wx" });
      return () => rm(path, { force: true });
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
    }
    if (isDead(Number(await readFile(path, "utf8").catch(() => "0")))) await rm(path, { force: true });
    else await sleep(250);
  }
};

/** 0: just made or just removed. */
const isDead = (pid: number): boolean => {
  if (pid === 0) return false;
  try {
    process.kill(pid, 0);
    return false;
  } catch (error) {
    return (error as NodeJS.ErrnoException).code === "ESRCH";
  }
};
