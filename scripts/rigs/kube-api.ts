// Prepares a Kubernetes API server and its etcd for the tests, once for each state of the sources, into .cache/rigs, and prints where
// they are. `node scripts/rigs/kube-api.ts` for people; tests import ensureKubeApi(). How it is made: test/rigs/kube-api/README.md.
import { execFile } from "node:child_process";
import { createHash } from "node:crypto";
import { access, copyFile, mkdir, readdir, readFile, rename, rm, stat, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { promisify } from "node:util";

const run = promisify(execFile);
const root = join(dirname(fileURLToPath(import.meta.url)), "../..");
const sources = join(root, "test/rigs/kube-api");
const cache = join(root, ".cache/rigs");
const goFiles = ["main.go", "rbac.go", "extras.go"];
const goVersion = "1.27";
const ownPackages = [`golang-${goVersion}-go`, `golang-${goVersion}-src`, "etcd-server"];
/** What `kubectl version` shows; the libraries are those of this release. */
const serverVersion = { gitVersion: "v1.36.0", gitMajor: "1", gitMinor: "36" };
const maxBuffer = 1 << 26;

/** `prototype`: built from test/rigs/kube-api. `envtest`: the real kube-apiserver of the folder that KUBEBUILDER_ASSETS names. */
export type KubeApiRig =
  | { readonly kind: "prototype" | "envtest"; readonly server: string; readonly etcd: string }
  | { readonly kind: "skipped"; readonly why: string };

/** Prepares the server unless that was done. Several processes may call it at once. The first time takes about four minutes. */
export const ensureKubeApi = async (env: NodeJS.ProcessEnv = process.env): Promise<KubeApiRig> => {
  const assets = env["KUBEBUILDER_ASSETS"] ?? "";
  if (assets !== "") return ofAssets(assets);
  const server = join(cache, `kube-api-${await hashOfSources()}`);
  const etcd = join(cache, "kube-api-root/usr/bin/etcd");
  if (!(await exists(server)) || !(await exists(etcd))) {
    const failed = await withLock(() => prepare(server, etcd));
    if (failed !== null) return { kind: "skipped", why: failed };
  }
  return { kind: "prototype", server, etcd };
};

const ofAssets = async (folder: string): Promise<KubeApiRig> => {
  const [server, etcd] = [join(folder, "kube-apiserver"), join(folder, "etcd")];
  for (const path of [server, etcd])
    if (!(await exists(path))) return { kind: "skipped", why: `KUBEBUILDER_ASSETS: ${path} does not exist` };
  return { kind: (await isBuiltHere(server)) ? "prototype" : "envtest", server, etcd };
};

/** The rig's own server, given under the real one's name, takes other flags than that. */
const isBuiltHere = async (server: string): Promise<boolean> => {
  const { stdout, stderr } = await run(server, ["--help"], { maxBuffer }).catch((error: unknown) => {
    const { stdout = "", stderr = "" } = error as { stdout?: string; stderr?: string };
    return { stdout, stderr };
  });
  return `${stdout}${stderr}`.includes("--write-kubeconfig");
};

/** Resolves with why it failed. */
const prepare = async (server: string, etcd: string): Promise<string | null> => {
  if ((await exists(server)) && (await exists(etcd))) return null;
  for (const command of ["apt-get", "dpkg-deb"])
    if (!(await isThere(command))) return `${command} is not there: the API server is built from Debian's packages`;
  try {
    process.stderr.write("> preparing a Kubernetes API server for the tests (about four minutes, once)\n");
    if (!(await exists(join(cache, "kube-api-root/.complete")))) await fetchPackages();
    await build(server);
    return null;
  } catch (error) {
    const { stderr = "", message } = error as Error & { stderr?: string };
    const said = stderr.split("\n").filter((line) => /^(E:|.*\.go:)|error/i.test(line));
    return `the API server was not built: ${said.slice(-5).join("; ") || message}`;
  }
};

/** Unpacks the packages of Debian's newest suite into a folder of their own; nothing of them is installed. */
const fetchPackages = async (): Promise<void> => {
  const apt = join(cache, "kube-api-apt");
  const making = join(cache, "kube-api-root.making");
  for (const folder of [apt, making]) await rm(folder, { recursive: true, force: true });
  for (const folder of ["state/lists/partial", "cache/archives/partial", "debs"])
    await mkdir(join(apt, folder), { recursive: true });
  await mkdir(making, { recursive: true });
  await writeFile(join(apt, "status"), "");
  await writeFile(join(apt, "sources.list"), `${await sidSource()}\n`);
  const options = {
    "Dir::Etc::sourcelist": join(apt, "sources.list"),
    "Dir::Etc::sourceparts": "-",
    "Dir::State": join(apt, "state"),
    "Dir::State::status": join(apt, "status"),
    "Dir::Cache": join(apt, "cache"),
    "Acquire::Check-Valid-Until": "false",
    "Acquire::Languages": "none",
    "APT::Sandbox::User": "root",
  };
  const args = Object.entries(options).flatMap(([name, value]) => ["-o", `${name}=${value}`]);
  await run("apt-get", [...args, "update"], { maxBuffer });
  const libraries = (await readFile(join(sources, "packages.txt"), "utf8")).split("\n").filter((line) => line !== "");
  const cwd = join(apt, "debs");
  await run("apt-get", [...args, "download", ...ownPackages, ...libraries], { maxBuffer, cwd });
  for (const deb of await readdir(cwd)) await run("dpkg-deb", ["-x", join(cwd, deb), making], { maxBuffer });
  await writeFile(join(making, ".complete"), "");
  await rm(join(cache, "kube-api-root"), { recursive: true, force: true });
  await rename(making, join(cache, "kube-api-root"));
  await rm(apt, { recursive: true, force: true });
};

/** Debian's unstable suite on the mirror that this machine uses. */
const sidSource = async (): Promise<string> => {
  const { stdout } = await run("apt-get", ["update", "--print-uris"], { maxBuffer });
  const mirror = /^'([^']+\/debian)\/dists\//m.exec(stdout)?.[1];
  if (mirror === undefined)
    throw new Error("no apt source of this machine is a Debian mirror (a URL that ends in /debian)");
  return `deb [signed-by=/usr/share/keyrings/debian-archive-keyring.gpg] ${mirror} sid main`;
};

/** `server`: the binary to make. */
const build = async (server: string): Promise<void> => {
  const debian = join(cache, "kube-api-root");
  const goRoot = join(debian, `usr/lib/go-${goVersion}`);
  const path = join(cache, "kube-api-gopath");
  const package_ = join(path, "src/kapi");
  await rm(path, { recursive: true, force: true });
  await mkdir(join(package_, "openapi"), { recursive: true });
  for (const file of goFiles) await copyFile(join(sources, file), join(package_, file));
  const env = {
    PATH: `${join(goRoot, "bin")}:${process.env["PATH"]}`,
    HOME: process.env["HOME"] ?? cache,
    GO111MODULE: "off",
    GOTOOLCHAIN: "local",
    GOFLAGS: "-p=2",
    GOROOT: goRoot,
    GOPATH: `${path}:${join(debian, "usr/share/gocode")}`,
    GOCACHE: join(cache, "kube-api-gocache"),
  };
  const go = join(goRoot, "bin/go");
  const generator = join(path, "openapi-gen");
  await run(go, ["build", "-o", generator, "k8s.io/kube-openapi/cmd/openapi-gen"], { env, cwd: package_, maxBuffer });
  const groups = ["core", "coordination", "events", "rbac", "authentication", "authorization", "admissionregistration"];
  const machinery = ["apis/meta/v1", "runtime", "version", "api/resource", "util/intstr"];
  const generate = ["--output-dir", "openapi", "--output-pkg", "kapi/openapi", "--output-file", "generated.go"];
  const quiet = ["--report-filename", join(path, "report.txt"), "--go-header-file", "/dev/null"];
  const inputs = [
    ...groups.map((group) => `k8s.io/api/${group}/v1`),
    ...machinery.map((name) => `k8s.io/apimachinery/pkg/${name}`),
  ];
  await run(generator, [...generate, ...quiet, ...inputs], { env, cwd: package_, maxBuffer });
  const stamps = Object.entries(serverVersion).map(
    ([name, text]) => `-X k8s.io/component-base/version.${name}=${text}`,
  );
  const making = `${server}.making`;
  await run(go, ["build", "-o", making, "-ldflags", stamps.join(" "), "kapi"], { env, cwd: package_, maxBuffer });
  await rename(making, server);
  await removeOld(server);
};

/** Servers of older sources, unless made within the last hour. */
const removeOld = async (current: string): Promise<void> => {
  for (const name of await readdir(cache)) {
    const path = join(cache, name);
    if (!/^kube-api-[0-9a-f]{16}$/.test(name) || path === current) continue;
    if (Date.now() - (await stat(path)).mtimeMs > 3_600_000) await rm(path, { force: true });
  }
};

const hashOfSources = async (): Promise<string> => {
  const hash = createHash("sha256").update(JSON.stringify([goVersion, serverVersion]));
  for (const file of [...goFiles, "packages.txt"]) hash.update(`${file}\0`).update(await readFile(join(sources, file)));
  return hash.digest("hex").slice(0, 16);
};

/** One builder at a time over all processes; a lock of a dead process is taken over. */
const withLock = async <T>(work: () => Promise<T>): Promise<T> => {
  const lock = join(cache, "kube-api.lock");
  await mkdir(cache, { recursive: true });
  for (;;) {
    try {
      await writeFile(lock, String(process.pid), { flag: "wx" });
      break;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== "EEXIST") throw error;
      if (!alive(Number(await readFile(lock, "utf8").catch(() => "0")))) await rm(lock, { force: true });
      else await new Promise((done) => setTimeout(done, 250));
    }
  }
  try {
    return await work();
  } finally {
    await rm(lock, { force: true });
  }
};

/** 0: the lock was just made or just removed, so wait. */
const alive = (pid: number): boolean => {
  if (pid === 0) return true;
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
};

const isThere = (command: string): Promise<boolean> =>
  run("sh", ["-c", `command -v ${command}`]).then(
    () => true,
    () => false,
  );

const exists = (path: string): Promise<boolean> =>
  access(path).then(
    () => true,
    () => false,
  );

if (process.argv[1] !== undefined && import.meta.url === pathToFileURL(process.argv[1]).href) {
  const rig = await ensureKubeApi();
  console.log(rig.kind === "skipped" ? `skipped: ${rig.why}` : `${rig.server}\n${rig.etcd}`);
}
