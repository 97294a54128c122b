import type { Operation } from "../../../../src/protocol/generated/types.ts";
import type { OperationHandler } from "../job.ts";
import * as disk from "./disk.ts";
import * as attach from "./diskAttach.ts";
import * as diskCreate from "./diskCreate.ts";
import * as diskMove from "./diskMove.ts";
import * as dvd from "./dvd.ts";
import * as guest from "./guestItems.ts";
import * as host from "./host.ts";
import * as nic from "./nic.ts";
import * as power from "./power.ts";
import * as vm from "./vm.ts";

/** Operations that need nothing but the host. The others (hello, jobs, inventory) need the agent itself. */
export type HostOperation = Exclude<Operation, "agent.hello" | "job.get" | "job.cancel" | "host.inventory">;

export const OPERATIONS: { readonly [O in HostOperation]: OperationHandler<O> } = {
  "host.info": host.info,
  "host.validate": host.validate,
  "vm.create": vm.create,
  "vm.get": vm.get,
  "vm.update": vm.update,
  "vm.delete": vm.remove,
  "vm.power": power.power,
  "vm.restart": power.restart,
  "disk.create": diskCreate.create,
  "disk.clone": diskCreate.clone,
  "disk.get": disk.get,
  "disk.update": disk.update,
  "disk.attach": attach.attach,
  "disk.detach": attach.detach,
  "disk.move": diskMove.move,
  "disk.delete": disk.remove,
  "disk.restore": disk.restore,
  "nic.create": nic.create,
  "nic.get": nic.get,
  "nic.update": nic.update,
  "nic.delete": nic.remove,
  "guest.read": guest.read,
  "guest.publish": guest.publish,
  "guest.clear": guest.clear,
  "dvd.attach": dvd.attach,
  "dvd.eject": dvd.eject,
};
