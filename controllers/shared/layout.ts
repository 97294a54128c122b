import type { VMHost, VMHostSpec } from "../../src/api/generated/types.ts";
import type { Layout } from "../../src/protocol/generated/types.ts";

/** Hyper-V's own folder for machines, where a VMHost names none and has no storage class. */
const hypervDefault = "C:\\ProgramData\\Microsoft\\Windows\\Hyper-V";

const units: Readonly<Record<string, number>> = { ms: 1, s: 1000, m: 60_000, h: 3_600_000 };

/** Milliseconds of a duration as the model has it (`1m30s`). Zero for a text that is no duration: validation refuses those. */
export const durationMs = (text: string): number =>
  Math.round(
    [...text.matchAll(/([0-9]+(?:\.[0-9]+)?)(ms|s|m|h)/g)].reduce(
      (sum, [, number, unit]) => sum + Number(number) * (units[unit ?? ""] ?? 0),
      0,
    ),
  );

type StorageClass = NonNullable<VMHostSpec["storageClasses"]>[number];

/** The class of things that name none: the one marked default, or the only one. */
export const defaultClass = (host: VMHost): StorageClass | undefined => {
  const classes = host.spec.storageClasses ?? [];
  return classes.find((one) => one.default) ?? (classes.length === 1 ? classes[0] : undefined);
};

export const storageClass = (host: VMHost, name: string): StorageClass | undefined =>
  host.spec.storageClasses?.find((one) => one.name === name);

/** Where things lie on the host, as every job that makes something names it. */
export const layoutOf = (host: VMHost): Layout => {
  const classes = (host.spec.storageClasses ?? []).map(({ name, path }) => ({ name, path }));
  return {
    virtualMachinePath: host.spec.virtualMachinePath ?? defaultClass(host)?.path ?? classes[0]?.path ?? hypervDefault,
    storageClasses: classes,
    imagePaths: [...(host.spec.imagePaths ?? [])],
    ...(host.spec.adoption?.paths && { adoptionPaths: [...host.spec.adoption.paths] }),
    trashRetentionSeconds: Math.round(durationMs(host.spec.trashRetention) / 1000),
  };
};
