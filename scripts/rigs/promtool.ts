// Fetches promtool for the tests, once, into .cache/rigs, and prints where it is. `node scripts/rigs/promtool.ts` for people; tests
// import ensurePromtool(). Debian's package is unpacked, not installed: its installation starts a server that listens on all addresses.
import { execFile } from "node:child_process";
import { access, chmod, copyFile, mkdir, mkdtemp, readdir, rename, rm } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const cache = join(dirname(fileURLToPath(import.meta.url)), "../../.cache/rigs");
const cached = join(cache, "promtool");

export type PromtoolRig =
  { readonly kind: "ready"; readonly promtool: string } | { readonly kind: "skipped"; readonly why: string };

/** What is on PATH, else Debian's. Several processes may call it at once: the last one's file stays. */
export const ensurePromtool = async (): Promise<PromtoolRig> => {
  if (await runs("promtool")) return { kind: "ready", promtool: "promtool" };
  try {
    if (!(await runs(cached))) await fetchInto(cached);
    return { kind: "ready", promtool: cached };
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    const said = stderr.split("\n").filter((line) => line.startsWith("E:"));
    return { kind: "skipped", why: `promtool was not fetched: ${said.join("; ") || message}` };
  }
};

const runs = (command: string): Promise<boolean> =>
  run(command, ["--version"]).then(
    () => true,
    () => false,
  );

const fetchInto = async (file: string): Promise<void> => {
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(`${file}.making-`);
  try {
    await download(making).catch(async (error: unknown) => {
      // A fresh machine has no lists of packages yet; only root may fetch them.
      if (process.getuid?.() !== 0) throw error;
      await run("apt-get", ["update", "-q"]);
      await download(making);
    });
    const [name] = (await readdir(making)).filter((one) => one.endsWith(".deb"));
    if (name === undefined) throw new Error("apt-get downloaded no package");
    await run("dpkg-deb", ["-x", join(making, name), join(making, "root")]);
    const binary = join(making, "root/usr/bin/promtool");
    await access(binary);
    await chmod(binary, 0o755);
    await copyFile(binary, join(making, "promtool"));
    await rename(join(making, "promtool"), file);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
};

const download = (folder: string): Promise<unknown> =>
  run("apt-get", ["download", "-q", "prometheus"], { cwd: folder });

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const rig = await ensurePromtool();
  console.log(rig.kind === "ready" ? `promtool: ${rig.promtool}` : `skipped: ${rig.why}`);
}
