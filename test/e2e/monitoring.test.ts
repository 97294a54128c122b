import { createServer, type Server } from "node:http";
import type { AddressInfo } from "node:net";
import { afterEach, describe, expect, it } from "vitest";
import { Rig, small, until } from "./rig.ts";

interface Attribute {
  readonly key: string;
  readonly value: { readonly stringValue?: string; readonly intValue?: number; readonly boolValue?: boolean };
}

interface Span {
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
  readonly name: string;
  readonly attributes: readonly Attribute[];
}

interface Export {
  readonly resourceSpans: readonly {
    readonly resource: { readonly attributes: readonly Attribute[] };
    readonly scopeSpans: readonly { readonly spans: readonly Span[] }[];
  }[];
}

/** What a collector of OpenTelemetry takes: OTLP over HTTP, JSON. */
class Collector {
  readonly exports: Export[] = [];
  readonly #server: Server;

  private constructor(server: Server) {
    this.#server = server;
  }

  static async start(): Promise<Collector> {
    const server = createServer();
    const collector = new Collector(server);
    server.on("request", (request, response) => {
      let body = "";
      request.on("data", (part: Buffer) => (body += String(part)));
      request.on("end", () => {
        if (request.url === "/v1/traces") collector.exports.push(JSON.parse(body) as Export);
        response.setHeader("content-type", "application/json").end("{}");
      });
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    return collector;
  }

  get url(): string {
    return `http://127.0.0.1:${(this.#server.address() as AddressInfo).port}`;
  }

  get spans(): readonly Span[] {
    return this.exports.flatMap(({ resourceSpans }) =>
      resourceSpans.flatMap(({ scopeSpans }) => scopeSpans.flatMap(({ spans }) => spans)),
    );
  }

  stop(): void {
    this.#server.closeAllConnections();
    this.#server.close();
  }
}

let rig: Rig | undefined;
let collector: Collector | undefined;

afterEach(async () => {
  await rig?.dispose();
  collector?.stop();
  delete process.env["OTEL_EXPORTER_OTLP_ENDPOINT"];
  rig = undefined;
  collector = undefined;
});

const address = ["--metrics-address", "127.0.0.1:0"];

/** Where the control plane says that it serves. */
const urlOf = async (of: Rig): Promise<string> => {
  await until("the address is told", () => Promise.resolve(of.said.includes("health and metrics: ")));
  return /health and metrics: (\S+)/.exec(of.said)?.[1] ?? "";
};

const get = async (url: string): Promise<{ readonly status: number; readonly text: string }> => {
  const answer = await fetch(url);
  return { status: answer.status, text: await answer.text() };
};

/** The value of one sample, 0 when there is none. */
const sample = async (url: string, name: string): Promise<number> => {
  const { text } = await get(`${url}/metrics`);
  const line = text.split("\n").find((one) => one.startsWith(`${name} `));
  return Number(line?.slice(name.length + 1) ?? 0);
};

const attribute = ({ attributes }: Span, key: string): string | undefined =>
  attributes.find((one) => one.key === key)?.value.stringValue;

describe("a control plane that is watched", () => {
  it("tells its health, counts what it does, and sends traces", { timeout: 120_000 }, async () => {
    collector = await Collector.start();
    process.env["OTEL_EXPORTER_OTLP_ENDPOINT"] = collector.url;
    rig = await Rig.make({ manifests: small("web"), hosts: ["hv1"] });
    await rig.start(...address);
    const url = await urlOf(rig);
    await rig.ready(4);

    const ready = await get(`${url}/readyz?verbose`);
    expect(ready.status).toBe(200);
    expect(ready.text).toContain("[+] control-plane: leader, epoch 1\n");
    expect(ready.text).toContain("[+] journal: writable\n");
    expect(await get(`${url}/livez`)).toEqual({ status: 200, text: "ok\n" });

    expect(await sample(url, 'aetherv_objects{kind="VirtualMachine",ready="True"}')).toBe(1);
    expect(await sample(url, 'aetherv_host_reachable{host="hv1"}')).toBe(1);
    expect(await sample(url, "aetherv_leader")).toBe(1);
    expect(await sample(url, 'aetherv_job_duration_seconds_count{operation="vm.create",code="Success"}')).toBe(1);
    const { text } = await get(`${url}/metrics`);
    expect(text).not.toContain("aetherv_drift_found_total{");

    await rig.admin("set-vlan", "hv1", "web", "99");
    const drift = '{kind="NetworkAdapter",field="vlan"}';
    const watched = url;
    await until(
      "the drift is counted",
      async () => (await sample(watched, `aetherv_drift_repaired_total${drift}`)) === 1,
    );
    expect(await sample(url, `aetherv_drift_found_total${drift}`)).toBe(1);

    const jobs = await rig.jobs();
    expect(await rig.stop()).toBe(0);
    const { spans } = collector;
    const byId = new Map(spans.map((span) => [span.spanId, span]));
    for (const { id, operation } of jobs) {
      const agent = spans.find(
        (one) => one.name === `agent ${operation}` && attribute(one, "aetherv.correlation_id") === id,
      );
      const job = byId.get(agent?.parentSpanId ?? "");
      const reconcile = byId.get(job?.parentSpanId ?? "");
      expect([job?.name, reconcile?.name]).toEqual([`job ${operation}`, expect.stringMatching(/^reconcile /)]);
      expect(reconcile?.parentSpanId ?? "").toBe("");
      expect(new Set([agent?.traceId, job?.traceId, reconcile?.traceId]).size).toBe(1);
      for (const span of [job, reconcile]) expect(span && attribute(span, "aetherv.correlation_id")).toBe(id);
    }
    // Names of what is concerned, codes and numbers: nothing of a spec.
    const keys = new Set(spans.flatMap(({ attributes }) => attributes.map(({ key }) => key)));
    expect([...keys].sort()).toEqual(
      ["attempt", "code", "correlation_id", "host", "kind", "name", "namespace", "operation", "outcome"].map(
        (name) => `aetherv.${name}`,
      ),
    );
    expect(JSON.stringify(collector.exports)).not.toMatch(/debian-12|1Gi|1073741824/);
  });

  it("after SIGTERM: not ready any more, no job starts, those at work end", { timeout: 120_000 }, async () => {
    rig = await Rig.make({ manifests: small("a", "b", "c", "d", "e"), hosts: ["hv1"], factor: 0.5 });
    const child = rig.launch(...address);
    const url = await urlOf(rig);
    await until("jobs are at work and others wait", async () => {
      const running = await sample(url, 'aetherv_host_jobs{host="hv1",state="running"}');
      const queued = await sample(url, 'aetherv_host_jobs{host="hv1",state="queued"}');
      return running > 0 && queued > 0;
    });
    const exit = new Promise<number | null>((resolve) => child.once("exit", (code) => resolve(code)));
    child.kill("SIGTERM");
    let text = "";
    await until("it is not ready any more", async () => {
      const answer = await get(`${url}/readyz`);
      text = answer.text;
      return answer.status === 503;
    });
    const notReady = new Date().toISOString();
    expect(text).toContain("[-] process: it is ending: no job is started any more\n");
    expect((await get(`${url}/livez`)).status).toBe(200);
    expect(await exit).toBe(0);

    const { out } = await rig.cli("jobs", "--limit", "1000", "-o", "json");
    const jobs = JSON.parse(out) as readonly {
      readonly startedAt?: string;
      readonly status: string;
      readonly code?: string;
    }[];
    const started = jobs.filter(({ startedAt }) => startedAt !== undefined);
    expect(started.length).toBeGreaterThan(0);
    expect(started.filter(({ startedAt = "" }) => startedAt > notReady)).toEqual([]);
    expect(started.filter(({ status }) => status !== "success")).toEqual([]);
    expect(jobs.length).toBeGreaterThan(started.length);
    // What was not begun is no fault of the host, and nobody is told so.
    expect((await rig.cli("events")).out).not.toContain("HostUnreachable");

    await rig.speed("hv1", 0.05);
    await rig.start();
    await rig.ready(16, 90_000);
  });
});
