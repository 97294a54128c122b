import { execFile } from "node:child_process";
import { copyFile, mkdir, mkdtemp, rm, symlink, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, it } from "vitest";

const root = dirname(dirname(dirname(fileURLToPath(import.meta.url))));
let project = "";

beforeAll(async () => {
  project = await mkdtemp(join(tmpdir(), "aetherv-lint-"));
  await copyFile(join(root, ".oxlintrc.json"), join(project, ".oxlintrc.json"));
  await copyFile(join(root, "tsconfig.json"), join(project, "tsconfig.json"));
  await symlink(join(root, "node_modules"), join(project, "node_modules"));
});

afterAll(() => rm(project, { recursive: true, force: true }));

/** What oxlint says about one file of that path and text, with this project's rules. */
const lint = async (path: string, text: string): Promise<string> => {
  const file = join(project, path);
  await mkdir(dirname(file), { recursive: true });
  await writeFile(file, text);
  try {
    const { stdout } = await promisify(execFile)(join(root, "node_modules/.bin/oxlint"), [path], { cwd: project });
    return stdout;
  } catch (error) {
    return (error as { stdout: string }).stdout;
  } finally {
    await rm(file);
  }
};

const use = (from: string): string => `import { thing } from "${from}";\nexport const used = thing;\n`;

const planted = [
  { why: "the model is innermost", file: "src/api/planted.ts", from: "../protocol/errors.ts" },
  { why: "the model is pure", file: "src/api/planted.ts", from: "node:fs" },
  { why: "the protocol knows the model only", file: "src/protocol/planted.ts", from: "../engine/ports.ts" },
  { why: "the engine has no node:", file: "src/engine/planted.ts", from: "node:fs" },
  { why: "the engine has no package", file: "src/engine/planted.ts", from: "pino" },
  { why: "the engine knows no controller", file: "src/engine/planted.ts", from: "../../controllers/index.ts" },
  { why: "controllers are pure", file: "controllers/vmhost/planted.ts", from: "node:crypto" },
  { why: "no kind imports another", file: "controllers/vmhost/planted.ts", from: "../virtualmachine/plan.ts" },
  { why: "controllers know no store", file: "controllers/shared/planted.ts", from: "../../src/stores/memory/store.ts" },
  { why: "stores know ports only", file: "src/stores/files/planted.ts", from: "../../engine/queue.ts" },
  { why: "stores know no hosts", file: "src/stores/files/planted.ts", from: "../../hosts/directory.ts" },
  { why: "hosts know no store", file: "src/hosts/planted.ts", from: "../stores/memory/store.ts" },
  { why: "transports know no hosts", file: "src/transports/local/planted.ts", from: "../../hosts/directory.ts" },
  { why: "the journal knows no server", file: "src/journal/planted.ts", from: "../server/control.ts" },
  { why: "telemetry is shown what it tells", file: "src/telemetry/planted.ts", from: "../hosts/directory.ts" },
  { why: "telemetry knows ports only", file: "src/telemetry/planted.ts", from: "../engine/queue.ts" },
  { why: "the engine knows no telemetry", file: "src/engine/planted.ts", from: "../telemetry/metrics.ts" },
  { why: "the server knows no store", file: "src/server/planted.ts", from: "../stores/memory/store.ts" },
  { why: "the CLI gets the wiring passed in", file: "src/cli/planted.ts", from: "../app/run.ts" },
  { why: "the page runs in a browser", file: "console/src/planted.ts", from: "node:fs" },
  {
    why: "the page holds no code of the server",
    file: "console/src/lib/planted.ts",
    from: "../../../src/server/client.ts",
  },
  { why: "the CLI knows no controller", file: "src/cli/planted.ts", from: "../../controllers/index.ts" },
];

const allowed = [
  { why: "the page takes pure functions", file: "console/src/lib/planted.ts", from: "../../../src/api/quantity.ts" },
  { why: "ports are for all", file: "src/stores/files/planted.ts", from: "../../engine/ports.ts" },
  { why: "stores use Node", file: "src/stores/files/planted.ts", from: "node:fs" },
  { why: "kinds share a folder", file: "controllers/vmhost/planted.ts", from: "../shared/layout.ts" },
  { why: "the CLI speaks to the control plane", file: "src/cli/planted.ts", from: "../server/control.ts" },
  { why: "the wiring knows all", file: "src/app/planted.ts", from: "../hosts/directory.ts" },
];

describe("folder rules bite on planted violations", () => {
  it.each(planted)("$why ($file imports $from)", async ({ file, from }) => {
    expect(await lint(file, use(from))).toContain("no-restricted-imports");
  });

  it("only the wiring reads the process", async () => {
    expect(await lint("controllers/vmhost/planted.ts", "export const home = process.env;\n")).toContain(
      "no-restricted-globals",
    );
  });
});

describe("folder rules let through what is allowed", () => {
  it.each(allowed)("$why ($file imports $from)", async ({ file, from }) => {
    expect(await lint(file, use(from))).not.toContain("no-restricted");
  });
});
