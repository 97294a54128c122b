import { randomUUID } from "node:crypto";
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { mkdir, readdir, rename, rm, utimes, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, test } from "vitest";
import { ensurePowerShell } from "../../../scripts/rigs/powershell.mjs";
import type { JobResult, SessionLine } from "../../../src/protocol/generated/types.ts";
import { editHost, makeDisk, makeHost, readDisk, realPath } from "../../rigs/hyperv/host.ts";
import { fixtures } from "./cases.ts";
import { AgentSession } from "./hyperv/session.ts";
import { makeBundle } from "./hyperv/start.ts";

/**
 * Long work outlives the channel: copies are done by a process that Windows' WMI service starts (here: the rig, really detached), and a session that
 * dies, is killed or is replaced finds them again.
 */
const rig = await ensurePowerShell();
const TIMEOUT = 180_000;
/** The copy of the big image has so many pieces of 4 MiB, each of which takes PIECE_MS. */
const PIECES = 12;
const PIECE_MS = 400;

const { layout } = fixtures.values as { layout: { storageClasses: { name: string; path: string }[] } };
const { storageClasses } = layout;
let ids = 0;
const request = (operation: string, resource_spec: object, correlation_id = String((ids += 1)).padStart(26, "0")) => ({
  operation,
  resource_spec,
  correlation_id,
  metadata: {
    timestamp: "2026-01-01T00:00:00Z",
    host: "host-1",
    control_plane: "plane-1",
    epoch: 5,
    deadline_seconds: 120,
    debug: true,
    dry_run: false,
    locks: [],
  },
});
const disk = (digit: number) => ({
  kind: "VirtualDisk",
  namespace: "default",
  name: "os",
  uid: `${digit.toString(16).padStart(2, "0")}eeeeee-0000-4000-8000-${String(process.pid).padStart(12, "0")}`,
});
const clone = (digit: number, source: object = { image: "big" }, more: object = {}) =>
  request("disk.clone", { owner: disk(digit), layout, storageClass: "fast", source, ...more });

if (rig.kind === "skipped") test.skip(`long work: ${rig.why}`, () => undefined);
else
  describe("long work outlives the session", () => {
    const edition = process.env["AETHERV_EDITION"] === "7" ? "7" : "5.1";
    const base = mkdtempSync(join(tmpdir(), "aetherv-long-"));
    const root = join(base, "host");
    const faultFile = join(base, "fault.json");
    const env = {
      AETHERV_TEST_FAULT: faultFile,
      AETHERV_TEST_PIECE_MS: String(PIECE_MS),
      AETHERV_TEST_WORKER_BYTES: String(2 ** 20),
    };
    const place = { rig, edition, root, bundle: join(base, "bundle"), env } as const;
    const sessions: AgentSession[] = [];
    const open = (): AgentSession => {
      const session = new AgentSession(place);
      sessions.push(session);
      return session;
    };
    let other: AgentSession;

    beforeAll(async () => {
      await makeBundle(place.bundle);
      await makeHost(root);
      await makeDisk(root, "D:\\Images\\big.vhdx", { size: 2 ** 30, content: "big", bodyBytes: PIECES * 2 ** 22 });
      other = open();
    }, TIMEOUT);
    afterAll(async () => {
      for (const session of sessions) await session.close();
      rmSync(base, { recursive: true, force: true });
    });

    const filesOf = (uid: string, folders = ["D/Fast", "C/Slow"]): string[] =>
      folders.flatMap((folder) => {
        try {
          return readdirSync(join(root, folder), { recursive: true, encoding: "utf8" })
            .filter((path) => path.includes(uid) && path.endsWith(".vhdx"))
            .map((path) => `${folder}/${path}`);
        } catch {
          return [];
        }
      });
    const ask = async (operation: string, spec: object): Promise<JobResult> => {
      const result = await other.send(request(operation, spec));
      if (!result) throw new Error(`no answer: ${other.errors}`);
      return result;
    };
    const stateOf = async (id: string) =>
      (await ask("job.get", { correlation_id: id })).data as { state: string; percent?: number; result?: JobResult };
    const untilRunning = (id: string) =>
      expect.poll(async () => (await stateOf(id)).percent ?? 0, { timeout: 60_000, interval: 100 }).toBeGreaterThan(5);
    const untilFinished = async (id: string): Promise<JobResult | undefined> => {
      await expect.poll(async () => (await stateOf(id)).state, { timeout: 60_000, interval: 200 }).toBe("Finished");
      return (await stateOf(id)).result;
    };
    const workerOf = (id: string): number => {
      const lineOf = (pid: string): string => {
        try {
          return readFileSync(`/proc/${pid}/cmdline`, "utf8");
        } catch {
          return "";
        }
      };
      const found = readdirSync("/proc").find((pid) => /^\d+$/.test(pid) && lineOf(pid).includes(`-Work\0${id}.`));
      if (found === undefined) throw new Error(`no worker of ${id}`);
      return Number(found);
    };

    test(
      "a clone by a worker: progress comes through, the result is the session's and is kept",
      async () => {
        const session = open();
        const job = clone(1);
        const result = await session.send(job);
        expect(result, session.errors).toMatchObject({ status: "success" });
        const percents = session.lines.flatMap((line: SessionLine) => (line.type === "progress" ? [line.percent] : []));
        expect(percents.length).toBeGreaterThan(PIECES / 2);
        expect(percents).toEqual(percents.toSorted((a, b) => a - b));
        expect(session.lines).toContainEqual(
          expect.objectContaining({ type: "log", log: expect.objectContaining({ text: "done: renamed" }) }),
        );
        expect({ ...(await other.send(job)), logs: [] }).toEqual({ ...result, logs: [] });
        expect(filesOf(disk(1).uid)).toHaveLength(1);
      },
      TIMEOUT,
    );

    test(
      "the session killed in mid-clone: the clone goes on; others are Busy with its id, see its percent, then its result",
      async () => {
        const session = open();
        const job = clone(2);
        const answer = session.send(job);
        await untilRunning(job.correlation_id);
        session.kill();
        expect(await answer).toBeUndefined();
        expect((await ask("agent.hello", {})).data["running"]).toMatchObject([
          { correlation_id: job.correlation_id, operation: "disk.clone" },
        ]);
        for (const again of [job, clone(2)])
          expect(await other.send(again)).toMatchObject({
            code: "Busy",
            message: expect.stringContaining(job.correlation_id),
          });
        const result = await untilFinished(job.correlation_id);
        expect(result).toMatchObject({ status: "success" });
        expect(await other.send(job)).toMatchObject({ status: "success", data: { path: result?.data["path"] } });
        expect(filesOf(disk(2).uid)).toHaveLength(1);
        expect(await readDisk(root, String(result?.data["path"]))).toMatchObject({ content: "big" });
      },
      TIMEOUT,
    );

    test(
      "the end of STDIN ends the session at once, not the clone",
      async () => {
        const session = open();
        const job = clone(3);
        void session.send(job);
        await untilRunning(job.correlation_id);
        await session.close();
        expect((await stateOf(job.correlation_id)).state).toBe("Running");
        expect(await untilFinished(job.correlation_id)).toMatchObject({ status: "success" });
      },
      TIMEOUT,
    );

    test(
      "job.cancel from another session ends the clone and removes its partial file; a new job succeeds",
      async () => {
        const session = open();
        const job = clone(4);
        const answer = session.send(job);
        await untilRunning(job.correlation_id);
        expect(filesOf(disk(4).uid)).toEqual([expect.stringContaining(".partial.vhdx")]);
        expect((await ask("job.cancel", { correlation_id: job.correlation_id })).data).toEqual({ state: "Cancelling" });
        expect(await answer).toMatchObject({ status: expect.not.stringMatching("success"), code: "Timeout" });
        expect(filesOf(disk(4).uid)).toEqual([]);
        expect(await other.send(clone(4))).toMatchObject({ status: "success" });
        expect(filesOf(disk(4).uid)).toHaveLength(1);
      },
      TIMEOUT,
    );

    test(
      "the worker killed in mid-clone: no success is told, the repeat leaves exactly one valid disk",
      async () => {
        const session = open();
        const job = clone(5);
        const answer = session.send(job);
        await untilRunning(job.correlation_id);
        process.kill(workerOf(job.correlation_id), "SIGKILL");
        expect(await answer).toMatchObject({ status: "partial", code: "HyperVError" });
        expect((await stateOf(job.correlation_id)).state).toBe("Unknown");
        const result = await other.send(job);
        expect(result).toMatchObject({ status: "success" });
        expect(filesOf(disk(5).uid)).toHaveLength(1);
        expect(await readDisk(root, String(result?.data["path"]))).toMatchObject({ content: "big" });
      },
      TIMEOUT,
    );

    test(
      "a detached disk's move to another volume, its session killed: one disk at the target, the old one in the trash",
      async () => {
        const from = String((await other.send(clone(6)))?.data["path"]);
        const session = open();
        const job = request("disk.move", { owner: disk(6), path: from, layout, storageClass: "slow" });
        void session.send(job);
        await untilRunning(job.correlation_id);
        session.kill();
        const result = await untilFinished(job.correlation_id);
        expect(result).toMatchObject({ status: "success", data: { path: expect.stringMatching(/^C:\\Slow\\/) } });
        expect(filesOf(disk(6).uid)).toEqual([expect.stringMatching(/^C\/Slow\/default\/os\./)]);
        expect(filesOf(disk(6).uid, ["D/AetherV.Trash"])).toHaveLength(1);
        expect(await readDisk(root, String(result?.data["path"]))).toMatchObject({ content: "big" });
      },
      TIMEOUT,
    );

    test.each([
      { why: "while its copy is verified, and the copy goes", digit: 8, after: "copying", trashed: 0 },
      { why: "after its copy was verified, and the copy goes into the trash", digit: 9, after: "renamed", trashed: 1 },
    ])(
      "a detached disk that is written $why: the disk stays where it is, and moves the next time",
      async ({ digit, after, trashed }) => {
        const blank = { owner: disk(digit), layout, storageClass: "fast", type: "Blank", size: 2 ** 30 };
        const from = String((await ask("disk.create", blank)).data["path"]);
        const move = { owner: disk(digit), path: from, layout, storageClass: "slow" };
        await writeFile(faultFile, JSON.stringify({ operation: "disk.move", type: "written", after, path: from }));
        expect(await ask("disk.move", move)).toMatchObject({
          code: "Busy",
          message: expect.stringContaining("was written while it was copied") as unknown,
        });
        expect(filesOf(disk(digit).uid)).toEqual([expect.stringMatching(/^D\/Fast\//)]);
        expect(filesOf(disk(digit).uid, ["C/AetherV.Trash", "D/AetherV.Trash"])).toHaveLength(trashed);
        expect(await ask("disk.move", move)).toMatchObject({ status: "success" });
        expect(filesOf(disk(digit).uid)).toEqual([expect.stringMatching(/^C\/Slow\//)]);
      },
      TIMEOUT,
    );

    describe("a detached disk's move", () => {
      const withNear = { ...layout, storageClasses: [...storageClasses, { name: "near", path: "D:\\Near" }] };
      const trashes = ["C/AetherV.Trash", "D/AetherV.Trash"];
      /** A blank disk of its own, with the move of it to the other volume. */
      const made = async (digit: number) => {
        const blank = { owner: disk(digit), layout, storageClass: "fast", type: "Blank", size: 2 ** 30 };
        const from = String((await ask("disk.create", blank)).data["path"]);
        const target = from.replace("D:\\Fast", "C:\\Slow");
        return { from, target, move: { owner: disk(digit), path: from, layout, storageClass: "slow" } };
      };
      const strike = (type: string, after: string, path: string) =>
        writeFile(faultFile, JSON.stringify({ operation: "disk.move", type, after, path }));
      const effectsOf = ({ logs }: JobResult): string[] =>
        (logs ?? []).flatMap(({ text }) => (text.startsWith("done: ") ? [text.slice("done: ".length)] : []));
      const text = (path: string): string => readFileSync(realPath(root, path), "utf8");

      test(
        "takes a copy that an earlier try withdrew out of the trash before it makes another; one that somebody wrote into stays",
        async () => {
          const { from, move } = await made(10);
          const failed = async (): Promise<string[]> => {
            await strike("written", "renamed", from);
            const result = await ask("disk.move", move);
            expect(result).toMatchObject({ code: "Busy" });
            expect(filesOf(move.owner.uid)).toEqual([expect.stringMatching(/^D\/Fast\//)]);
            return filesOf(move.owner.uid, trashes);
          };
          const first = await failed();
          expect(first).toHaveLength(1);
          const second = await failed();
          expect(second).toHaveLength(1);
          expect(second).not.toEqual(first);
          await utimes(join(root, second[0] ?? ""), new Date(), new Date());
          expect(await failed()).toEqual(expect.arrayContaining(second));
          expect(filesOf(move.owner.uid, trashes)).toHaveLength(2);
        },
        TIMEOUT,
      );

      test(
        "leaves in the trash what a delete or an earlier move put there, of the same name",
        async () => {
          const { from, target, move } = await made(11);
          const there = await ask("disk.move", move);
          const back = { ...move, path: target, storageClass: "fast" };
          expect([there, await ask("disk.move", back)]).toMatchObject([{ status: "success" }, { status: "success" }]);
          expect(await ask("disk.move", move)).toMatchObject({ status: "success" });
          expect(filesOf(move.owner.uid, trashes)).toHaveLength(3);
          expect(existsSync(realPath(root, from))).toBe(false);
        },
        TIMEOUT,
      );

      test.each(["slow", "near"])(
        "to %s is refused before anything is copied or renamed when a checkpoint alone names the file",
        async (storageClass) => {
          const digit = storageClass === "slow" ? 12 : 13;
          const { from, move } = await made(digit);
          const vm = {
            owner: { ...disk(digit), kind: "VirtualMachine", name: `vm${digit}` },
            layout,
            generation: 2,
            config: { name: `vm${digit}`, memory: { startupBytes: 2 ** 30 } },
          };
          const id = String((await ask("vm.create", vm)).data["vmId"]);
          const drive = { controllerType: "SCSI", controllerNumber: 0, controllerLocation: 0, path: from };
          await editHost(root, (host) => {
            const machine = host.vms?.find((one) => one["id"] === id) ?? {};
            machine["checkpoints"] = [
              {
                id: randomUUID(),
                name: "applied away",
                parentId: null,
                creationTime: new Date().toISOString(),
                snapshotType: "Standard",
                drives: [drive],
              },
            ];
          });
          const result = await ask("disk.move", { ...move, layout: withNear, storageClass });
          expect(result).toMatchObject({ status: "error", code: "DiskInUse" });
          expect(filesOf(move.owner.uid, ["D/Fast", "D/Near", "C/Slow", ...trashes])).toEqual([
            expect.stringMatching(/^D\/Fast\//),
          ]);
        },
        TIMEOUT,
      );

      test(
        "is refused before anything is copied when the original's trash can't be written",
        async () => {
          const { move } = await made(14);
          const trash = join(root, "D/AetherV.Trash");
          await mkdir(trash, { recursive: true });
          await rename(trash, `${trash}.aside`);
          await writeFile(trash, "no folder");
          try {
            const result = await ask("disk.move", move);
            expect(result.status).toBe("error");
            expect(effectsOf(result)).toEqual([]);
            expect(filesOf(move.owner.uid, ["D/Fast", "C/Slow", "C/AetherV.Trash"])).toEqual([
              expect.stringMatching(/^D\/Fast\//),
            ]);
          } finally {
            await rm(trash);
            await rename(`${trash}.aside`, trash);
          }
          expect(await ask("disk.move", move)).toMatchObject({ status: "success" });
          expect((await readdir(trash)).filter((name) => name.endsWith(".probe"))).toEqual([]);
        },
        TIMEOUT,
      );

      test.each([
        { why: "gives way to the disk's own", digit: 15, own: true },
        { why: "goes where the disk has none", digit: 16, own: false },
      ])(
        "change tracking that a kill left at the new place $why",
        async ({ digit, own }) => {
          const { from, target, move } = await made(digit);
          await mkdir(join(root, "C/Slow/default"), { recursive: true });
          for (const end of [".rct", ".mrt"]) {
            if (own) await writeFile(realPath(root, from + end), `own ${end}`);
            await writeFile(realPath(root, target + end), "left over");
          }
          expect(await ask("disk.move", move)).toMatchObject({ status: "success", data: { path: target } });
          for (const end of [".rct", ".mrt"])
            if (own) expect(text(target + end)).toBe(`own ${end}`);
            else expect(existsSync(realPath(root, target + end))).toBe(false);
        },
        TIMEOUT,
      );

      test(
        "leaves no partial copy when the name is taken at the last moment, and tells what lies there",
        async () => {
          const { target, move } = await made(17);
          await strike("taken", "copying", target);
          const result = await ask("disk.move", move);
          expect(result).toMatchObject({ code: "NameConflict" });
          expect(filesOf(move.owner.uid, ["C/Slow"])).toEqual([expect.not.stringContaining("partial")]);
          expect(text(target)).toBe("of somebody else");
        },
        TIMEOUT,
      );

      test(
        "that leaves two files tells both",
        async () => {
          const { from, target, move } = await made(18);
          // Broken off after the copy has its name: nothing is taken back.
          await strike("broken", "renamed", target);
          const result = await ask("disk.move", move);
          expect(result).toMatchObject({ status: "partial", code: "HyperVError" });
          const { observed } = result.data as { observed: { disks: { upsert: { path: string }[] } } };
          expect(observed.disks.upsert.map(({ path }) => path).toSorted()).toEqual([target, from]);
        },
        TIMEOUT,
      );
    });

    test(
      "a conversion, its session killed: exactly one valid disk",
      async () => {
        const session = open();
        const job = clone(7, { image: "big" }, { diskType: "Fixed", blockSize: 2 ** 20 });
        await editHost(root, (host) => {
          host.behaviour = { ...host.behaviour, copyMsPerMiB: 2 };
        });
        void session.send(job);
        await expect.poll(async () => (await stateOf(job.correlation_id)).state, { timeout: 60_000 }).toBe("Running");
        session.kill();
        expect(await untilFinished(job.correlation_id)).toMatchObject({ status: "success" });
        expect(filesOf(disk(7).uid)).toHaveLength(1);
      },
      TIMEOUT,
    );
  });
