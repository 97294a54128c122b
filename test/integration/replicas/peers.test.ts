import { execFile } from "node:child_process";
import { appendFile, copyFile, mkdir, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { promisify } from "node:util";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import type { MissingReplica } from "../../../src/api/missingReplicas.ts";
import { systemClock } from "../../../src/app/clock.ts";
import type { History } from "../../../src/app/control.ts";
import { Doors, type ApiAddress } from "../../../src/app/doors.ts";
import { EveryReplica } from "../../../src/app/replicas/everyReplica.ts";
import { Peers } from "../../../src/app/replicas/peers.ts";
import { shardOfHost } from "../../../src/engine/shards.ts";
import type { JobRecord, Logger, Objects, Resource } from "../../../src/engine/ports.ts";
import { HttpClient, type Send } from "../../../src/server/client.ts";
import { ControlError, type ControlPlane, type EventReport } from "../../../src/server/control.ts";
import type { Access, Gatekeeper } from "../../../src/server/guard.ts";

const quiet: Logger = { debug() {}, info() {}, warn() {}, error() {} };
const run = promisify(execFile);
const key = { kind: "VirtualMachine", namespace: "default", name: "web" } as const;

const job = (id: string): JobRecord =>
  ({ id, key, host: "hv1", status: "success", request: { metadata: { epoch: 1 } } }) as unknown as JobRecord;

const event = { key, type: "Normal", reason: "VmCreate", message: "", count: 1, firstSeen: "", lastSeen: "" } as const;

const historyOf = (id: string): History => ({
  jobs: () => Promise.resolve([job(id)]),
  job: (asked) => Promise.resolve(asked === id ? job(id) : undefined),
  events: () => Promise.resolve<readonly EventReport[]>([event]),
  async *jobLog(asked, { follow }) {
    if (asked === id) yield { time: "", level: "info", text: `${id}, ${follow ? "followed" : "read"}` };
  },
  async *watchJobs(signal) {
    yield job(id);
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  },
});

/** `replica`, `person` and `tenant`, who may not list hosts, prove who they are by their names. */
const gate: Gatekeeper = {
  caller: (token) =>
    Promise.resolve(
      ["replica", "person", "tenant"].includes(token)
        ? { name: token, may: ({ kind }: Access) => Promise.resolve(token !== "tenant" || kind !== "VMHost") }
        : undefined,
    ),
};

const standby = {
  status: () => Promise.resolve({ mode: "standby" }),
  jobs: () => Promise.reject(new ControlError("Standby", "this process is a standby")),
} as unknown as ControlPlane;

const host = { kind: "VMHost", metadata: { name: "hv1", uid: "5c9a" } } as Resource;
const objects = { list: () => [host], get: () => undefined } as unknown as Objects;
const shardsAll = 3;

let folder: string;
let closing: (() => Promise<unknown>)[];

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "aetherv-peers-"));
  await writeFile(join(folder, "token"), "replica\n");
  closing = [];
});
afterEach(async () => {
  for (const close of closing.toReversed()) await close();
  await rm(folder, { recursive: true, force: true });
});

/** A replica with the jobs of one id, and the others that it asks. */
class Replica {
  readonly others: { identity: string; shards: readonly number[]; address?: string }[] = [];
  readonly all: EveryReplica;
  readonly doors: Doors;
  readonly #api: ApiAddress;

  private constructor(id: string, doors: Doors, api: ApiAddress) {
    this.doors = doors;
    this.#api = api;
    const peers = this.peers();
    this.all = new EveryReplica({ own: historyOf(id), peers: () => peers.list(), clock: systemClock });
  }

  /** Its way to the others, as it is made when it leads. */
  peers(): Peers {
    const peers = new Peers({ api: this.#api, shards: { others: this.others, count: shardsAll }, objects });
    closing.push(() => peers.close());
    return peers;
  }

  static async start(id: string, tlsFolder?: string): Promise<Replica> {
    const replicas = { address: "127.0.0.1", tokenFile: join(folder, "token") };
    const api = { host: "127.0.0.1", port: 0, ...(tlsFolder === undefined ? {} : { tlsFolder }), replicas };
    const doors = await Doors.open({ socket: join(folder, `${id}.sock`), api, gate, standby, log: quiet });
    closing.push(() => doors.close());
    const replica = new Replica(id, doors, api);
    await doors.lead(replica.all as unknown as ControlPlane, historyOf(id) as ControlPlane);
    return replica;
  }

  get address(): string {
    return `127.0.0.1:${this.doors.apiPort}`;
  }

  knows(identity: string, address: string): void {
    this.others.push({ identity, shards: [shardOfHost("5c9a", shardsAll)], address });
  }

  async jobs(): Promise<{ readonly ids: readonly string[]; readonly missing: readonly MissingReplica[] }> {
    const missing: MissingReplica[] = [];
    const jobs = await this.all.jobs({}, (one) => missing.push(one));
    return { ids: jobs.map(({ id }) => id), missing };
  }
}

const as =
  (token: string, address: string, more: Readonly<Record<string, string>> = {}): Send =>
  async ({ path }) => {
    const { request } = await import("undici");
    const headers = { "x-aetherv-token": token, ...more };
    const { statusCode, headers: answered, body } = await request(`http://${address}${path}`, { headers });
    return { statusCode, headers: answered, body };
  };

const authority = async (): Promise<void> => {
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1", "-subj", "/CN=authority"];
  await run("openssl", [...words, "-keyout", join(folder, "ca.key"), "-out", join(folder, "ca.crt")]);
};

/** A certificate of an authority that nobody else knows, under a name that is nobody's address. */
const certificate = async (name: string): Promise<string> => {
  const at = join(folder, name);
  const [ca, caKey] = [join(folder, "ca.crt"), join(folder, "ca.key")];
  await mkdir(at);
  const words = ["req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "1"];
  const signed = ["-CA", ca, "-CAkey", caKey, "-subj", "/CN=aetherv.aetherv-system.svc"];
  await run("openssl", [...words, ...signed, "-keyout", join(at, "tls.key"), "-out", join(at, "tls.crt")]);
  // As issuers give it: with the chain, by which others of theirs must not be taken for a replica.
  await appendFile(join(at, "tls.crt"), await readFile(ca, "utf8"));
  return at;
};

describe("replicas that ask each other", { timeout: 60_000 }, () => {
  it("know what the other has, and ask nobody in a circle", async () => {
    const [a, b] = [await Replica.start("01"), await Replica.start("02")];
    a.knows("b", b.address);
    b.knows("a", a.address);
    for (const one of [a, b]) expect(await one.jobs()).toEqual({ ids: ["02", "01"], missing: [] });
    expect(await a.all.events({})).toHaveLength(2);
    expect(await a.all.job("02")).toMatchObject({ id: "02" });
    const log: string[] = [];
    for await (const { text } of a.all.jobLog("02", { follow: true }, new AbortController().signal)) log.push(text);
    expect(log).toEqual(["02, followed"]);
    const end = new AbortController();
    const seen = new Set<string>();
    for await (const { id } of a.all.watchJobs(end.signal)) if (seen.add(id).size === 2) end.abort();
  });

  it("name one that is gone, one that nobody can ask, and none that only waits", async () => {
    const a = await Replica.start("01");
    const waiting = await Doors.open({
      socket: join(folder, "w.sock"),
      api: { host: "127.0.0.1", port: 0 },
      gate,
      standby,
      log: quiet,
    });
    closing.push(() => waiting.close());
    a.knows("waiting", `127.0.0.1:${waiting.apiPort}`);
    const b = await Replica.start("02");
    a.knows("b", b.address);
    await b.doors.close();
    a.others.push({ identity: "c", shards: [] });
    const { ids, missing } = await a.jobs();
    expect(ids).toEqual(["01"]);
    expect(missing).toEqual([
      {
        name: "b",
        hosts: ["hv1"],
        hostCount: 1,
        why: expect.stringContaining(`not answer at ${b.address}`) as unknown,
      },
      { name: "c", hosts: [], hostCount: 0, why: "it tells no address at which replicas ask it" },
    ]);
    await writeFile(join(folder, "token"), "");
    expect((await a.jobs()).missing[0]?.why).toContain("has no token");
  });

  it("carry their token to an IP address only, whatever a Lease says", async () => {
    const a = await Replica.start("01");
    const came: string[] = [];
    const thief: Server = createServer((request, response) => {
      came.push(String(request.headers["x-aetherv-token"]));
      response.end("[]");
    });
    await new Promise<void>((resolve) => thief.listen(0, "127.0.0.1", resolve));
    closing.push(() => new Promise((resolve) => thief.close(resolve)));
    const { port } = thief.address() as AddressInfo;
    for (const address of [
      `localhost:${port}`,
      `127.0.0.1:${port}/x`,
      `x@127.0.0.1:${port}`,
      `http://127.0.0.1:${port}`,
    ])
      a.knows(address, address);
    expect((await a.jobs()).missing.map(({ why }) => why)).toEqual(
      Array.from({ length: 4 }, () => "it tells no address at which replicas ask it"),
    );
    expect(came).toEqual([]);
  });

  it("with TLS take only who has their certificate for another replica", async () => {
    await authority();
    const [ours, other] = [await certificate("ours"), await certificate("other")];
    const [a, b, stranger] = [
      await Replica.start("01", ours),
      await Replica.start("02", ours),
      await Replica.start("03", other),
    ];
    a.knows("b", b.address);
    expect(await a.jobs()).toEqual({ ids: ["02", "01"], missing: [] });
    a.knows("stranger", stranger.address);
    const { ids, missing } = await a.jobs();
    expect(ids).toEqual(["02", "01"]);
    expect(missing).toMatchObject([
      { name: "stranger", why: expect.stringContaining("its certificate is another than ours") as unknown },
    ]);
  });

  it("hear each other on when their certificate is renewed, until all are started again", async () => {
    await authority();
    const [ours, renewed] = [await certificate("ours"), await certificate("renewed")];
    const [a, b] = [await Replica.start("01", ours), await Replica.start("02", ours)];
    a.knows("b", b.address);
    expect(await a.jobs()).toEqual({ ids: ["02", "01"], missing: [] });
    for (const name of ["tls.crt", "tls.key"]) await copyFile(join(renewed, name), join(ours, name));
    expect(await a.jobs(), "both show the old one").toEqual({ ids: ["02", "01"], missing: [] });
    const [late] = a.peers().list();
    expect(await late?.history.jobs({}), "one that leads only now").toHaveLength(1);
    const c = await Replica.start("03", ours);
    a.knows("c", c.address);
    expect(await a.jobs(), "one started since").toEqual({ ids: ["03", "02", "01"], missing: [] });
    await writeFile(join(ours, "tls.crt"), "no certificate");
    expect((await a.jobs()).ids, "what is shown stays").toEqual(["02", "01"]);
    await rm(ours, { recursive: true });
    expect((await a.jobs()).ids).toEqual(["02", "01"]);
  });

  it("give people what all know, as far as they may read it; events to replicas alone", async () => {
    const [a, b] = [await Replica.start("01"), await Replica.start("02")];
    a.knows("b", b.address);
    const person = new HttpClient(as("person", a.address));
    expect((await person.jobs({})).map(({ id }) => id)).toEqual(["02", "01"]);
    const own = new HttpClient(as("person", a.address, { "x-aetherv-own": "true" }));
    expect((await own.jobs({})).map(({ id }) => id)).toEqual(["01"]);
    for (const one of [person, own])
      await expect(one.events({})).rejects.toThrow("the API server of the cluster gives");
    const replica = new HttpClient(as("replica", a.address, { "x-aetherv-own": "true" }));
    expect(await replica.events({})).toEqual([event]);
    await expect(new HttpClient(as("nobody", a.address)).jobs({})).rejects.toMatchObject({ code: "Unauthenticated" });
    await b.doors.close();
    const missing: MissingReplica[] = [];
    for (const token of ["person", "tenant"])
      await new HttpClient(as(token, a.address)).jobs({}, (one) => missing.push(one));
    expect(missing.map(({ name, hosts, hostCount }) => ({ name, hosts, hostCount }))).toEqual([
      { name: "b", hosts: ["hv1"], hostCount: 1 },
      { name: "b", hosts: [], hostCount: 1 },
    ]);
  });
});
