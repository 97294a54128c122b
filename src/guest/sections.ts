import type { VirtualMachine } from "../api/generated/types.ts";
import type { DraftLine, Family, Value } from "./derive.ts";
import { refuse } from "./refused.ts";

export type Guest = NonNullable<VirtualMachine["spec"]["guest"]>;

const invalid = (message: string): never => refuse("stalled", "InvalidSpec", message);

/** Administrator, automation user and domain. */
export const accountLines = (guest: Guest, family: Family): readonly DraftLine[] => {
  refuseNames(guest, family);
  return [...adminLines(guest), ...automationLines(guest), ...domainLines(guest)];
};

const refuseNames = (
  { localAdministrator: admin, automation, sshAuthorizedKeys = [] }: Guest,
  family: Family,
): void => {
  if (sshAuthorizedKeys.length > 0 && !admin)
    invalid("spec.guest.sshAuthorizedKeys are keys of the localAdministrator: declare one.");
  if (admin && automation && sameName(admin.name, automation.user, family))
    invalid(`spec.guest.automation.user and localAdministrator.name are both ${admin.name}: give each its own.`);
  const names = [admin?.name, automation?.user].filter((name) => name !== undefined);
  const long = family === "Windows" ? names.find((name) => name.length > 20) : undefined;
  if (long !== undefined)
    invalid(`spec.guest: ${long} has ${long.length} characters; account names of Windows have at most 20.`);
};

const sameName = (a: string, b: string, family: Family): boolean =>
  family === "Windows" ? a.toLowerCase() === b.toLowerCase() : a === b;

const adminLines = ({ localAdministrator: admin, sshAuthorizedKeys = [] }: Guest): readonly DraftLine[] =>
  admin
    ? [
        ["admin.name", admin.name],
        ["admin.password", secret(admin.passwordSecretRef)],
        ...sshAuthorizedKeys.map((key, at): DraftLine => [`admin.sshKey.${at}`, key]),
      ]
    : [];

const automationLines = ({ automation }: Guest): readonly DraftLine[] =>
  automation
    ? [
        ["automation.user", automation.user],
        ["automation.publicKey", automation.publicKey],
      ]
    : [];

const domainLines = ({ domainJoin: join }: Guest): readonly DraftLine[] => {
  if (!join) return [];
  const { name } = join.credentialsSecretRef;
  return [
    ["domain.name", join.domain],
    ...(join.organizationalUnit === undefined ? [] : [["domain.ou", join.organizationalUnit] as const]),
    ["domain.username", { secret: name, key: "username" }],
    ["domain.password", { secret: name, key: "password" }],
  ];
};

const secret = ({ name, key }: { readonly name: string; readonly key: string }): Value => ({ secret: name, key });

const contentOf = (
  where: string,
  inline: string | undefined,
  ref: { readonly name: string; readonly key: string } | undefined,
): Value => inline ?? (ref ? secret(ref) : invalid(`${where} has neither text nor a Secret.`));

export const fileLines = ({ files = [] }: Guest, family: Family): readonly DraftLine[] => {
  const paths = files.map(({ path }) => (family === "Windows" ? path.toLowerCase() : path));
  const twice = files.find((_, at) => paths.indexOf(paths[at] ?? "") !== at);
  if (twice) invalid(`spec.guest.files: ${twice.path} is declared twice (Windows knows no case).`);
  return files.flatMap(({ path, mode, content, contentSecretRef }, at): readonly DraftLine[] => {
    if (family === "Windows" ? !/^[A-Za-z]:\\/.test(path) : !path.startsWith("/"))
      invalid(`spec.guest.files: ${path} is no absolute path of ${family}.`);
    const right = (mode ?? (contentSecretRef ? "0600" : "0644")).padStart(4, "0");
    return [
      [`file.${at}.path`, path],
      ...(family === "Linux" ? [[`file.${at}.mode`, right] as const] : []),
      [`file.${at}.content`, contentOf(`spec.guest.files: ${path}`, content, contentSecretRef)],
    ];
  });
};

export const serviceLines = ({ services = [] }: Guest): readonly DraftLine[] =>
  services.flatMap(({ name, state, startup }, at): readonly DraftLine[] => [
    [`service.${at}.name`, name],
    ...(state === undefined ? [] : [[`service.${at}.state`, state] as const]),
    ...(startup === undefined ? [] : [[`service.${at}.startup`, startup] as const]),
  ]);

const defaultTimeoutSeconds = 600;

export const scriptLines = ({ scripts = [] }: Guest, family: Family): readonly DraftLine[] =>
  scripts.flatMap(({ name, interpreter, inline, secretRef, run, timeoutSeconds }, at): readonly DraftLine[] => {
    if (family === "Windows" && interpreter !== "powershell")
      invalid(`spec.guest.scripts: ${name} needs ${interpreter}; Windows has powershell only.`);
    return [
      [`script.${at}.name`, name],
      [`script.${at}.interpreter`, interpreter],
      [`script.${at}.run`, run ?? "OnChange"],
      [`script.${at}.timeoutSeconds`, String(timeoutSeconds ?? defaultTimeoutSeconds)],
      [`script.${at}.content`, contentOf(`spec.guest.scripts: ${name}`, inline, secretRef)],
    ];
  });
