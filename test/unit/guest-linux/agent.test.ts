import { spawnSync } from "node:child_process";
import { readdirSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "vitest";
import { heard, parameters, sealedItems } from "./control.ts";
import { agentFolder, inAgent, lookOnce, makeRoot, poolFile, repository, shells } from "./rig.ts";
import type { Root } from "./rig.ts";

const timeout = 300_000;
const pool = (number: number): string => `var/lib/hyperv/.kvp_pool_${number}`;
const report = (root: Root) => heard(root.bytes(pool(1)));

const withRoot = async (use: (root: Root) => Promise<void> | void): Promise<void> => {
  const root = makeRoot();
  try {
    root.write(pool(3), parameters());
    await use(root);
  } finally {
    root.remove();
  }
};

describe.each(shells)("the guest agent on $name, from its start", ({ there, ...shell }) => {
  test("publishes a key, applies a host name, and makes a new key on a cloned disk", { timeout }, (context) => {
    if (!there) return context.skip(`${shell.name} is not installed`);
    return withRoot(async (root) => {
      expect(lookOnce(shell, root)).toMatchObject({ code: 0 });
      const first = report(root);
      expect(first).toMatchObject({ state: "Waiting", generation: 0, hash: "", version: "0.1.0" });
      const { items, hash } = await sealedItems(first?.key.spki ?? "", 1, [["hostname", "web-1"]]);
      root.write(pool(0), poolFile(items));
      expect(lookOnce(shell, root)).toMatchObject({ code: 0 });
      expect(report(root)).toMatchObject({ state: "Applied", generation: 1, hash, step: "", error: "" });
      expect(root.read("etc/hostname")).toBe("web-1\n");
      expect(root.read("etc/hosts")).toContain("127.0.1.1\tweb-1\n");
      root.write(pool(0), "");
      lookOnce(shell, root);
      expect(report(root)).toMatchObject({ state: "Applied", generation: 1, hash });
      root.write(pool(3), parameters("11111111-2222-4333-8444-555566667777"));
      lookOnce(shell, root);
      const cloned = report(root);
      expect(cloned).toMatchObject({ state: "Waiting", generation: 0, hash: "" });
      expect(cloned?.key.fingerprint).not.toBe(first?.key.fingerprint);
    });
  });
});

const scriptLines = [
  ["hostname", "web-1"],
  ["file.0.path", "/etc/app.conf"],
  ["file.0.mode", "0600"],
  ["file.0.content", "content\n\n"],
  ["script.0.name", "fails"],
  ["script.0.interpreter", "sh"],
  ["script.0.run", "OnChange"],
  ["script.0.timeoutSeconds", "60"],
  ["script.0.content", "[ -e allowed ] || exit 7; echo ran >>ran"],
] as const;

describe.each(shells)("a second agent on $name", ({ there, ...shell }) => {
  test.each([
    { why: "another process has the id of an agent that was killed", kept: 'echo "$PPID 1"', code: 0 },
    { why: "the first one runs", kept: 'process "$PPID"', code: 1 },
  ])("$why: ends with $code", { timeout }, ({ kept, code }) => {
    if (!there) return;
    return withRoot((root) => {
      expect(inAgent(shell, root, `${kept} >"$RUN/pid"; main once`).code).toBe(code);
    });
  });
});

describe("the guest agent's modules", () => {
  const shell = shells[0];
  test("a failed module is told with its step, and the rest goes on from there", { timeout }, () =>
    withRoot(async (root) => {
      if (!shell) return;
      lookOnce(shell, root);
      const { items, hash } = await sealedItems(report(root)?.key.spki ?? "", 1, scriptLines);
      root.write(pool(0), poolFile(items));
      lookOnce(shell, root);
      expect(report(root)).toMatchObject({
        state: "Failed",
        generation: 1,
        hash,
        step: "scripts",
        error: "ScriptFailed: script fails ended with exit code 7",
      });
      expect(root.read("etc/app.conf")).toBe("content\n\n");
      root.write("allowed", "");
      lookOnce(shell, root);
      expect(report(root)).toMatchObject({ state: "Applied", hash, error: "" });
      expect(root.read("ran")).toBe("ran\n");
      expect(readdirSync(join(root.path, "run/aetherv"))).not.toContain("work");
    }),
  );

  test("killed at each of its durable steps and started again, it ends applied once", { timeout }, () =>
    withRoot(async (root) => {
      if (!shell) return;
      root.write("allowed", "");
      lookOnce(shell, root);
      const { items, hash } = await sealedItems(report(root)?.key.spki ?? "", 1, scriptLines);
      root.write(pool(0), poolFile(items));
      let kills = 0;
      for (let at = 1; report(root)?.state !== "Applied" && at < 40; at += 1) {
        // Each start is killed one durable write later than the one before. Writes happen in subshells: a file counts them.
        root.write("count", "0");
        const cut = `durable() {
          count=$(($(cat "$AETHERV_ROOT/count") + 1)); echo "$count" >"$AETHERV_ROOT/count"
          if [ "$count" -ge ${at} ]; then kill -9 $$; exit 1; fi
          cat >"$1.new" && mv -f "$1.new" "$1"
        }`;
        if (inAgent(shell, root, `${cut}\nmain once`).code !== 0) kills += 1;
      }
      expect(kills).toBeGreaterThan(3);
      expect(report(root)).toMatchObject({ state: "Applied", generation: 1, hash });
      expect(root.read("ran")).toBe("ran\n");
    }),
  );
});

test("shellcheck finds nothing", { timeout }, (context) => {
  if (spawnSync("shellcheck", ["--version"]).status !== 0) return context.skip("shellcheck is not installed");
  const parts = ["lib", "modules", "networks"].flatMap((folder) =>
    readdirSync(join(agentFolder, folder)).map((name) => join(folder, name)),
  );
  const files = ["aetherv-guest", "install.sh", "aetherv-guest.openrc", ...parts];
  const found = spawnSync("shellcheck", files, { cwd: agentFolder, encoding: "utf8" });
  expect(found.stdout).toBe("");
  const rig = spawnSync("shellcheck", ["-x", "-s", "dash", "start.sh", "network.sh"], {
    cwd: join(repository, "test/rigs/guest-linux"),
    encoding: "utf8",
  });
  expect(rig.stdout).toBe("");
});
