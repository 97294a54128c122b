import { annotations as names } from "../api/annotations.ts";
import { fnv1a } from "./hash.ts";
import type { Objects, Resource } from "./ports.ts";

/** The shard that places objects, and has all that is on no host. */
export const firstShard = 0;

/** The shard of a host, by the uid of its VMHost. */
export const shardOfHost = (uid: string, shards: number): number => (shards <= 1 ? firstShard : fnv1a(uid) % shards);

/** The shard that works on an object: that of the host it is placed on; a VMHost's own; else the first. */
export const shardOf = (resource: Resource, objects: Objects, shards: number): number => {
  if (shards <= 1) return firstShard;
  if (resource.kind === "VMHost") return shardOfHost(resource.metadata.uid, shards);
  const placed = resource.metadata.annotations?.[names.host];
  const host = placed === undefined ? undefined : objects.get({ kind: "VMHost", namespace: "", name: placed });
  return host ? shardOfHost(host.metadata.uid, shards) : firstShard;
};
