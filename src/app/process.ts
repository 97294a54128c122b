import type { Context } from "../cli/context.ts";
import { runCli } from "../cli/program.ts";
import { processContext } from "./context.ts";
import { holdHeap } from "./heap.ts";

/** Runs this process as the program of that name, with these words; sets the exit code. */
export const runProcess = async (program: Context["program"], words: readonly string[]): Promise<void> => {
  const ending = new AbortController();
  let isRun = false;
  let asked = 0;
  for (const [name, code] of [
    ["SIGINT", 130],
    ["SIGTERM", 143],
  ] as const)
    process.on(name, () => {
      ending.abort();
      asked += 1;
      // A control plane waits for its jobs; who asks three times means it. Whatever else still works by now is not waited for.
      if (asked >= 3) process.exit(code);
      if (!isRun) setTimeout(() => process.exit(code), 500).unref();
    });
  for (const stream of [process.stdout, process.stderr])
    stream.on("error", (error: NodeJS.ErrnoException) => {
      // A closed pipe (`aetherv get all | head`) is no failure; nor does it, or a full disk, end a control plane.
      if (isRun) return;
      if (error.code === "EPIPE") process.exit(0);
      if (stream === process.stdout) process.stderr.write(`error: the output cannot be written: ${error.message}\n`);
      process.exit(1);
    });
  const onRun = (): void => {
    isRun = true;
    holdHeap();
  };
  const context = processContext(process.env, { program, signal: ending.signal, onRun });
  process.exitCode = await runCli(words, context);
};
