import { describe, expect, it } from "vitest";
import { ApiServerSight, apiResource } from "../../../src/telemetry/apiServer.ts";

describe("resource of a request", () => {
  it.each([
    { path: "/apis/aetherv.io/v1alpha1/virtualmachines", is: "virtualmachines" },
    { path: "/apis/aetherv.io/v1alpha1/namespaces/web/virtualmachines/a/status", is: "virtualmachines/status" },
    { path: "/apis/aetherv.io/v1alpha1/vmhosts/hv1", is: "vmhosts" },
    { path: "/api/v1/namespaces/web/secrets/key", is: "secrets" },
    { path: "/apis/coordination.k8s.io/v1/namespaces/aetherv/leases/aetherv", is: "leases" },
    { path: "/apis/events.k8s.io/v1/namespaces/web/events", is: "events" },
    { path: "/api/v1/namespaces/web/pods/some-name", is: "other" },
    { path: "/readyz", is: "other" },
  ])("$path", ({ path, is }) => expect(apiResource(path)).toBe(is));
});

describe("whether the API server is there", () => {
  it("by its answers: silence of half a minute is its absence", () => {
    let now = 0;
    const sight = new ApiServerSight(() => now);
    expect(sight.fault()).toBe("it was not asked yet");
    sight.answered(200);
    now = 20_000;
    sight.answered(0);
    expect(sight.fault()).toBeUndefined();
    now = 31_000;
    sight.answered(503);
    expect(sight.fault()).toBe("it answers 503, since 31 s");
    expect(sight.thereMs()).toBe(0);
    // What it refuses, it has answered.
    sight.answered(403);
    now = 50_000;
    expect(sight.fault()).toBeUndefined();
    expect(sight.thereMs()).toBe(19_000);
  });
});
