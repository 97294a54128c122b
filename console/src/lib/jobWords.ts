import type { JobRecord } from "../../../src/engine/ports.ts";
import type { Tone } from "./standing.ts";

export const isActive = (job: JobRecord): boolean => job.status === "queued" || job.status === "running";

const tones: Readonly<Record<JobRecord["status"], Tone>> = {
  queued: "info",
  running: "info",
  success: "ok",
  error: "bad",
  partial: "warn",
  withdrawn: "idle",
};

export const jobTone = (job: JobRecord): Tone => tones[job.status];

const statusWords = {
  queued: "Queued",
  running: "Running",
  success: "Done",
  error: "Failed",
  partial: "Broken off",
  withdrawn: "Withdrawn",
} as const;

export const jobText = (job: JobRecord): string => statusWords[job.status];

const operationWords: Readonly<Record<string, string>> = {
  "vm.create": "Create machine",
  "vm.update": "Change machine",
  "vm.delete": "Delete machine",
  "vm.power": "Change power",
  "vm.restart": "Restart machine",
  "disk.create": "Create disk",
  "disk.clone": "Clone disk",
  "disk.update": "Change disk",
  "disk.attach": "Attach disk",
  "disk.detach": "Detach disk",
  "disk.move": "Move disk",
  "disk.delete": "Delete disk",
  "disk.restore": "Restore disk",
  "nic.create": "Create adapter",
  "nic.update": "Change adapter",
  "nic.delete": "Delete adapter",
  "guest.publish": "Configure guest",
  "guest.clear": "Clear guest configuration",
  "dvd.attach": "Insert medium",
  "dvd.eject": "Eject medium",
};

export const operationText = (operation: string): string => operationWords[operation] ?? operation;
