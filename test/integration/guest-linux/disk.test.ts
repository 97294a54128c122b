import { spawnSync } from "node:child_process";
import { readdirSync, readFileSync } from "node:fs";
import { basename } from "node:path";
import { expect, test } from "vitest";
import { inAgent, makeRoot, shells } from "../../unit/guest-linux/rig.ts";
import type { Root } from "../../unit/guest-linux/rig.ts";

const timeout = 200_000;
const GiB = 1024 ** 3;

const sh = (lines: string): string => {
  const done = spawnSync("sh", ["-euc", lines], { encoding: "utf8" });
  if (done.status !== 0) throw new Error(`${lines}\n${done.stderr}`);
  return done.stdout.trim();
};

type Filesystem = "ext4" | "xfs" | "btrfs";

const tools: Readonly<Record<Filesystem, readonly string[]>> = {
  ext4: ["mkfs.ext4", "resize2fs"],
  xfs: ["mkfs.xfs", "xfs_growfs"],
  btrfs: ["mkfs.btrfs", "btrfs"],
};

const whyNot = (filesystem: Filesystem = "ext4"): string | undefined => {
  if (process.getuid?.() !== 0) return "needs root for loop devices";
  const known = readFileSync("/proc/filesystems", "utf8").split(/\s+/);
  if (!known.includes(filesystem)) return `the kernel has no ${filesystem}`;
  const missing = ["losetup", "partx", "sfdisk", "unshare", ...tools[filesystem]].filter(
    (name) => spawnSync("sh", ["-c", `command -v ${name}`]).status !== 0,
  );
  if (missing.length > 0) return `not installed: ${missing.join(", ")}`;
  const free = spawnSync("losetup", ["-f"], { encoding: "utf8" });
  return free.status === 0 ? undefined : `no loop devices: ${free.stderr.trim()}`;
};

/** The kernel keeps partitions of a loop device beyond its image: those of a run that was killed would be in the way. */
const forgetPartitions = (device: string): void => {
  for (const entry of readdirSync(`/sys/class/block/${basename(device)}`))
    if (entry.startsWith(`${basename(device)}p`))
      spawnSync("partx", ["-d", "--nr", entry.slice(`${basename(device)}p`.length), device]);
};

/** A disk of 512 MiB (sparse) with a GPT of these partitions, the first with a filesystem; gives its loop device. */
const makeDisk = (root: Root, partitions: string, filesystem: Filesystem = "ext4"): string => {
  const image = `${root.path}/disk.img`;
  const device = sh(
    `truncate -s 512M ${image}; printf 'label: gpt\\n${partitions}' | sfdisk -q ${image} >&2; losetup -f --show ${image}`,
  );
  forgetPartitions(device);
  // Not by `losetup -P`: some kernels read no partition tables themselves.
  sh(`partx -a ${device}; mkfs.${filesystem} -q ${device}p1; mkdir -p ${root.path}/mnt`);
  return device;
};

/** Grows the disk by 10 GiB and runs the module; what is told, and the size of the filesystem. */
const grow = (root: Root, device: string) => {
  const shell = shells[0];
  if (!shell) throw new Error("no shell");
  sh(`mount ${device}p1 ${root.path}/mnt; truncate -s +10G ${root.path}/disk.img; losetup -c ${device}`);
  const lines = `AETHERV_ROOTFS="$AETHERV_ROOT/mnt"; (module_disks); code=$?; cat "$RUN/error" 2>/dev/null; (module_disks) || code=2
    df -Pk "$AETHERV_ROOTFS" | awk 'NR == 2 { print $2 * 1024 }'; cat "$STATE/grow-blocked" 2>/dev/null; exit $code`;
  return inAgent(shell, root, lines);
};

const remove = (root: Root): void => {
  spawnSync("umount", [`${root.path}/mnt`]);
  const devices = spawnSync("losetup", ["-n", "-O", "NAME", "-j", `${root.path}/disk.img`], { encoding: "utf8" });
  for (const device of devices.stdout.split("\n").filter((name) => name !== "")) {
    forgetPartitions(device);
    spawnSync("losetup", ["-d", device]);
  }
  root.remove();
};

/** The kernel lets a mounted ext4 grow with CAP_SYS_RESOURCE only, which root of some containers has not. */
const mayResize = (): boolean => {
  const digits = /CapEff:\t([0-9a-f]+)/.exec(readFileSync("/proc/self/status", "utf8"))?.[1] ?? "0";
  return ((BigInt(`0x${digits}`) >> 24n) & 1n) === 1n;
};

test("a disk grown by 10 GiB grows the root partition", { timeout }, (context) => {
  const why = whyNot();
  if (why !== undefined) return context.skip(why);
  const root = makeRoot();
  try {
    const device = makeDisk(root, ",\\n");
    grow(root, device);
    expect(Number(sh(`blockdev --getsize64 ${device}p1`))).toBeGreaterThan(10 * GiB);
  } finally {
    remove(root);
  }
});

test.for(["ext4", "xfs", "btrfs"] as const)(
  "a disk grown by 10 GiB grows its root filesystem: %s",
  { timeout },
  (filesystem, context) => {
    const may = filesystem !== "ext4" || mayResize();
    const why =
      whyNot(filesystem) ?? (may ? undefined : "root has no CAP_SYS_RESOURCE here: a mounted ext4 cannot grow");
    if (why !== undefined) return context.skip(why);
    const root = makeRoot();
    try {
      const grown = grow(root, makeDisk(root, ",\\n", filesystem));
      expect(grown).toMatchObject({ code: 0 });
      expect(Number(grown.out.trim())).toBeGreaterThan(9.5 * GiB);
    } finally {
      remove(root);
    }
  },
);

test("a recovery partition in the way is reported and stays", { timeout }, (context) => {
  const why = whyNot();
  if (why !== undefined) return context.skip(why);
  const root = makeRoot();
  try {
    const device = makeDisk(root, "size=64M\\n,\\n");
    const before = sh(`sfdisk -d ${device} | grep start=`);
    const grown = grow(root, device);
    expect(grown).toMatchObject({ code: 0 });
    expect(grown.out).toMatch(/partition loop\d+p2 is behind the root partition loop\d+p1/);
    expect(sh(`sfdisk -d ${device} | grep start=`)).toBe(before);
  } finally {
    remove(root);
  }
});
