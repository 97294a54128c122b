import { describe, expect, it } from "vitest";
import { runCommand } from "../../../src/cli/commands/run.ts";
import type { RunOptions, Tools } from "../../../src/cli/context.ts";

const run = async (...words: readonly string[]): Promise<RunOptions> => {
  const given: RunOptions[] = [];
  const tools = {
    context: { run: (options: RunOptions) => (given.push(options), Promise.resolve(0)) },
    data: () => "/data",
    cluster: () => ({}),
    namespaces: () => "all",
    exit: () => undefined,
  } as unknown as Tools;
  const command = runCommand(tools)
    .exitOverride()
    .configureOutput({ writeErr: () => undefined });
  await command.parseAsync(words, { from: "user" });
  const [options] = given;
  if (!options) throw new Error("it was not run");
  return options;
};

const cluster = ["--kubernetes", "--api-address", "0.0.0.0:8444"];
const token = ["--replica-token", "/replica/token"];

describe("how replicas reach each other", () => {
  it.each(["10.0.3.17", "fd00::17", "127.0.0.1", "fe80::1"])("at %s", async (address) => {
    const { source } = await run(...cluster, "--shards", "3", "--replica-address", address, ...token);
    expect(source).toMatchObject({ shards: 3, api: { replicas: { address, tokenFile: "/replica/token" } } });
  });

  it.each([
    { address: "fe80::1%eth0", message: "without a zone" },
    { address: "0.0.0.0", message: "nobody else reaches it there" },
    { address: "::", message: "nobody else reaches it there" },
    { address: "0:0::0", message: "nobody else reaches it there" },
    { address: "::ffff:0.0.0.0", message: "nobody else reaches it there" },
    { address: "hv1", message: "expected an IP address" },
  ])("not at $address", async ({ address, message }) => {
    await expect(run(...cluster, "--shards", "3", "--replica-address", address, ...token)).rejects.toThrow(message);
  });

  it.each([
    { why: "one shard", words: ["--shards", "1"] },
    { why: "no word of shards", words: [] },
  ])("is refused with $why, where none asks another", async ({ words }) => {
    await expect(run(...cluster, ...words, "--replica-address", "10.0.3.17", ...token)).rejects.toThrow(
      "go with --shards of 2 or more",
    );
    expect((await run(...cluster, ...words)).source).toMatchObject({ shards: 1 });
  });
});
