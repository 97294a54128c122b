import { Command } from "commander";
import type { SignerReport } from "../clusterTools.ts";
import type { Tools } from "../context.ts";

const examples = `
Examples:
  aetherv guest rotate-signer --data /srv/aetherv
  kubectl aetherv guest rotate-signer`;

const notes = `
The old key, and every one before it, names the new one: a guest that pinned any of them follows with its next configuration. Nothing is
sent for the change alone. The old keys stay where the new one is kept, since each has to name the next one, too: the change does not
help against somebody who has a copy of them.

Of a data folder: stop its control plane first. Of a cluster (--kubeconfig, --context, or as kubectl plugin): restart the control
plane's Deployment after.
${examples}`;

/** `aetherv guest`: what guests know this control plane by. */
export const guestCommand = (tools: Tools): Command =>
  new Command("guest")
    .description("The key that signs guest configurations")
    .addHelpText("after", examples)
    .addCommand(
      new Command("rotate-signer")
        .description("Make a new key that signs guest configurations, which guests follow by themselves")
        .option("--control-plane-namespace <name>", "of a cluster: where the control plane is")
        .addHelpText("after", notes)
        .action(async ({ controlPlaneNamespace }: { readonly controlPlaneNamespace?: string }) => {
          const where = tools.where();
          if (where.at === "data") return tell(tools, await tools.context.rotateSigner(where.data), next.data);
          const cluster = await tools.context.openCluster(where.cluster);
          try {
            tell(tools, await cluster.rotateSigner(controlPlaneNamespace), next.cluster);
          } finally {
            await cluster.close();
          }
        }),
    );

const next = {
  data: "start the control plane; make a new backup, since one of before holds the old key",
  cluster: "restart the control plane (kubectl rollout restart), which has the old key until then; make a new backup",
} as const;

const tell = ({ context }: Tools, { before, after, handovers }: SignerReport, then: string): void =>
  context.terminal.out(
    `old key: ${before}\nnew key: ${after}\nguests follow from ${handovers} older key${handovers === 1 ? "" : "s"}, each with its next configuration\nnext: ${then}\n`,
  );
