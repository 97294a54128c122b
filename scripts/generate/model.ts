import { crdFiles, crdModule, readCrd } from "./crds.ts";
import { deploymentCrd } from "./deployment.ts";
import { typesModule } from "./types.ts";

export interface GeneratedFile {
  /** From the root of the repository. */
  readonly path: string;
  readonly text: string;
}

/** The deployment's embedded specs first: the two modules are made from what is then in crds/. */
export async function* modelFiles(root: string): AsyncGenerator<GeneratedFile> {
  yield { path: "crds/manageddeployment.yaml", text: deploymentCrd(root) };
  const crds = crdFiles.map((file) => readCrd(root, file));
  yield { path: "src/api/generated/crds.ts", text: crdModule(crds) };
  yield { path: "src/api/generated/types.ts", text: await typesModule(crds) };
}
