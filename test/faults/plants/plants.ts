import type { StoreKind } from "../sim/story.ts";

/** One place in a source file, and what stands there with the bug in it. */
export interface Change {
  /** Path from the root of the repository. */
  readonly file: string;
  /** Occurs exactly once in it. */
  readonly from: string;
  readonly to: string;
}

/** A bug that somebody could make. The product has no switch for it: its source is changed on its way into the simulation's process. */
export interface Plant {
  readonly name: string;
  readonly what: string;
  readonly changes: readonly Change[];
  /** The store in which alone it can show itself. */
  readonly stores?: readonly [StoreKind];
}

const deletion = "controllers/virtualmachine/deletion.ts";
const copy = "agents/simulator/model/operations/copy.ts";

export const plants: readonly Plant[] = [
  {
    name: "no-live-read",
    stores: ["kubernetes"],
    what: "nothing is read afresh before something destructive is done",
    changes: [
      {
        file: "src/engine/reconcile.ts",
        from: "if (isDestructive(act) && !(await this.#stillMeant(resource, kind, act))) return this.#later(key);",
        to: "void isDestructive; void (() => this.#stillMeant(resource, kind, act));",
      },
    ],
  },
  {
    name: "unknown-is-absent",
    what: "a machine whose host does not answer, or not completely, counts as gone",
    changes: [
      {
        file: deletion,
        from: 'if (access.at !== "up") {',
        to: 'if (access.at !== "up") {\n    return release("gone");',
      },
      { file: deletion, from: "if (!snapshot.complete ||", to: "if (" },
    ],
  },
  {
    name: "no-fence",
    what: "a host's agent takes jobs of an older control plane process",
    changes: [
      {
        file: "agents/simulator/model/ledger.ts",
        from: "      if (epoch < highest)\n",
        to: "      if (epoch < highest && epoch < 0)\n",
      },
      {
        file: "agents/simulator/model/job.ts",
        from: "    if (epoch < highest)\n",
        to: "    if (epoch < highest && epoch < 0)\n",
      },
    ],
  },
  {
    name: "finalizer-after-create",
    what: "the finalizer is written once the machine is there, and not before",
    changes: [
      {
        file: "controllers/virtualmachine/index.ts",
        from: "  if (held && annotationOf(vm, annotations.host) === host) return undefined;\n  return { finalizers: held ? finalizers : [...finalizers, finalizer],",
        to: "  const made = held || vm.status?.id === undefined;\n  if (made && annotationOf(vm, annotations.host) === host) return undefined;\n  return { finalizers: made ? finalizers : [...finalizers, finalizer],",
      },
    ],
  },
  {
    name: "clone-without-rename",
    what: "a copy is written under its last name from the beginning",
    changes: [
      {
        file: copy,
        from: "  const partial = join(folder, `${order.uid}.${job.id}.partial.${extension(order.format)}`);",
        to: "  const partial = order.target;\n  void extension; void join;",
      },
      {
        file: copy,
        from: '    if (world.file(order.target)) fail("NameConflict", `${order.target} exists already`);\n    world.renameFile(partial, order.target);',
        to: "    void world; void fail;",
      },
    ],
  },
  {
    name: "any-reply-will-do",
    what: "a reply that comes twice, or late, is taken for the answer to whatever is asked now",
    changes: [
      {
        file: "src/hosts/session.ts",
        from: "    const pending = this.#pending.get(result.correlation_id);\n    if (pending) {",
        to: "    const pending = this.#pending.get(result.correlation_id) ?? [...this.#pending.values()][0];\n    if (pending) {",
      },
    ],
  },
  {
    name: "no-stamp-check",
    what: "a stamp counts on whatever machine it is found",
    changes: [
      {
        file: "src/engine/snapshotIndex.ts",
        from: "return stamp.vmId.toLowerCase() === vm.id.toLowerCase() ? stamp.uid : undefined;",
        to: "return stamp.uid;",
      },
    ],
  },
  {
    name: "last-write-wins",
    stores: ["memory"],
    what: "a write of an object does not ask whether it was changed since it was read",
    changes: [
      {
        file: "src/stores/table.ts",
        from: "if (changes.has(key) || resourceVersion !== decidedOn.resourceVersion || uid !== decidedOn.uid)",
        to: "if (uid === '' || resourceVersion === '')",
      },
    ],
  },
  {
    name: "shrinks",
    what: "a disk that is larger than declared is made smaller",
    changes: [
      { file: "controllers/virtualdisk/plan.ts", from: "if (bytesOf(size) < have) {", to: "if (bytesOf(size) < 0) {" },
      { file: "agents/simulator/model/operations/disk.ts", from: "  if (size < file.size)\n", to: "  if (size < 0)\n" },
    ],
  },
  {
    name: "forgets-running-jobs",
    what: "an agent that starts does not know what the one before it still has at work",
    changes: [
      {
        file: "agents/simulator/model/ledger.ts",
        from: "this.#parts.isRunning(run.correlation_id) : process.alive(run.process);",
        to: "this.#parts.isRunning(run.correlation_id) : false;",
      },
    ],
  },
  {
    name: "empty-folder-deletes",
    stores: ["files"],
    what: "a folder of manifests that is suddenly empty is taken at its word",
    changes: [
      {
        file: "src/stores/files/sweep.ts",
        from: "  return [...marked].filter((folder) => !full.has(folder) && !unreadable.has(folder));",
        to: "  return [...marked].filter((folder) => full.has(folder) && unreadable.has(folder));",
      },
    ],
  },
  {
    name: "old-news-wins",
    stores: ["kubernetes"],
    what: "the cache takes an event though it has seen a later state of the object",
    changes: [
      {
        file: "src/stores/kubernetes/collection.ts",
        from: '    if (known && when === "newer" && compareVersions(known.metadata.resourceVersion, resourceVersion) >= 0) return;\n',
        to: "    void when; void known;\n",
      },
      {
        file: "src/stores/kubernetes/store.ts",
        from: "    const metadata = { ...(change as { metadata?: object }).metadata, resourceVersion, uid };",
        to: "    const metadata = { ...(change as { metadata?: object }).metadata };\n    void resourceVersion; void uid;",
      },
    ],
  },
  {
    name: "same-epoch",
    stores: ["kubernetes"],
    what: "a new leader uses the epoch of the one before it",
    changes: [
      {
        file: "src/stores/kubernetes/lease.ts",
        from: "const epoch = epochOf(lease) + 1;",
        to: "const epoch = Math.max(1, epochOf(lease));",
      },
    ],
  },
  {
    name: "log-tells-content",
    stores: ["files"],
    what: "what is wrong with a file is told with the file's content",
    changes: [
      {
        file: "src/stores/files/store.ts",
        from: "if (!known.has(text)) this.#files.log.warn({ file: problem.file, line: problem.line, key: problem.key }, text);",
        to: "if (!known.has(text)) void this.#files.fs.read(problem.file).then((bytes) => this.#files.log.warn({ content: new TextDecoder().decode(bytes) }, text), () => undefined);",
      },
    ],
  },
];
