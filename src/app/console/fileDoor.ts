import {
  abilitiesOf,
  roleNeeded,
  type ConsoleDoor,
  type ConsoleUser,
  type ObjectApi,
  type Role,
} from "../../server/console/access.ts";
import { sameText } from "../../server/console/sessions.ts";
import { ApiError } from "../../server/console/status.ts";
import type { ControlPlane } from "../../server/control.ts";
import type { TokenFile } from "./tokens.ts";

export interface FileDoorOptions {
  readonly objects: ObjectApi;
  readonly control: ControlPlane;
  readonly tokens: TokenFile;
  /** The data folder's own token, with the role admin. */
  readonly adminToken: string;
  readonly now: () => Date;
}

/** File mode's way in: tokens with roles. */
export const fileDoor = ({ objects, control, tokens, adminToken, now }: FileDoorOptions): ConsoleDoor => {
  const userOf = (name: string, role: Role, expires?: Date): ConsoleUser => {
    const can = abilitiesOf(role);
    return {
      name,
      role,
      expires,
      objects,
      control,
      can: () => Promise.resolve(can),
      require: (ability) =>
        can[ability]
          ? Promise.resolve()
          : Promise.reject(
              new ApiError("Forbidden", `${name} has the role ${role}; this needs the role ${roleNeeded(ability)}`),
            ),
    };
  };
  return {
    mode: "files",
    async user(token) {
      if (sameText(token, adminToken)) return userOf("admin", "admin");
      const record = await tokens.find(token, now());
      if (!record) return undefined;
      const { name, role, expiresAt } = record;
      return userOf(name, role, expiresAt === undefined ? undefined : new Date(expiresAt));
    },
  };
};
