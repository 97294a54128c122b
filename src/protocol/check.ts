import { Ajv2020, type ErrorObject, type ValidateFunction } from "ajv/dist/2020.js";
import formats from "ajv-formats";
import { fault, isErrorCode, type Fault } from "./errors.ts";
import { envelopeSchema, operationsSchema, stateSchema } from "./generated/schemas.ts";
import type { JobRequest, JobResult, Operation, OperationData, SessionLine } from "./generated/types.ts";

/** Longest result that is read at all, in bytes. */
export const MAX_RESULT_BYTES = 8 * 1024 * 1024;

/** The result of one job with its data checked, or why it can't be trusted. */
export type Checked<O extends Operation> =
  | { readonly ok: true; readonly result: JobResult & { readonly data: OperationData[O] } }
  | { readonly ok: false; readonly fault: Fault; readonly result?: JobResult };

/** Validators of the protocol, compiled on first use. */
export class ProtocolCheck {
  readonly #ajv: Ajv2020;

  constructor() {
    this.#ajv = new Ajv2020({ strict: false, allErrors: false });
    formats.default(this.#ajv);
    for (const schema of [stateSchema, envelopeSchema, operationsSchema]) this.#ajv.addSchema(schema);
  }

  #validator(file: string, name: string): ValidateFunction {
    const found = this.#ajv.getSchema(`https://aetherv.io/protocol/${file}#/$defs/${name}`);
    if (!found) throw new Error(`no schema ${file}#/$defs/${name}`);
    return found;
  }

  #problem(file: string, name: string, value: unknown): string | undefined {
    const validate = this.#validator(file, name);
    return validate(value) ? undefined : describe(validate.errors);
  }

  /** Undefined when the request and its spec have the shape of their schemas, else the first problem with its path. */
  request(request: unknown): string | undefined {
    const shape = this.#problem("envelope", "JobRequest", request);
    if (shape) return shape;
    const { operation, resource_spec } = request as JobRequest;
    const problem = this.#problem("operations", SPEC_NAMES[operation][0], resource_spec);
    return problem && `resource_spec${problem.startsWith("/") ? "" : " "}${problem}`;
  }

  sessionLine(line: unknown): line is SessionLine {
    return this.#validator("envelope", "SessionLine")(line);
  }

  /**
   * Checks a parsed result against the envelope, its correlation id and the operation's data schema.
   * An error result stays an error with its own code; a partial one is never a success.
   */
  result<O extends Operation>(operation: O, correlationId: string, value: unknown): Checked<O> {
    const shape = this.#problem("envelope", "JobResult", value);
    if (shape) return { ok: false, fault: fault("ProtocolError", `the result is malformed: ${shape}`) };
    const result = value as JobResult;
    if (result.correlation_id !== correlationId)
      return {
        ok: false,
        fault: fault("ProtocolError", `the result answers ${result.correlation_id}, not ${correlationId}`),
      };
    if (result.status !== "success") return this.#failure(result);
    const data = this.#problem("operations", SPEC_NAMES[operation][1], result.data);
    if (data) return { ok: false, fault: fault("ProtocolError", `the result's data is malformed: ${data}`) };
    return { ok: true, result: result as JobResult & { data: OperationData[O] } };
  }

  /** What a failed job observed is used only when it has the shape of a Delta. */
  #failure(result: JobResult): { ok: false; fault: Fault; result: JobResult } {
    const observed = (result.data as { observed?: unknown }).observed;
    const usable = observed === undefined || this.#problem("state", "Delta", observed) === undefined;
    const kept = usable ? result : { ...result, data: {} };
    if (!isErrorCode(result.code))
      return {
        ok: false,
        fault: fault("ProtocolError", `unknown error code ${String(result.code)}: ${result.message}`),
        result: kept,
      };
    return { ok: false, fault: fault(result.code, result.message), result: kept };
  }
}

const describe = (errors: readonly ErrorObject[] | null | undefined): string => {
  const first = errors?.[0];
  return first ? `${first.instancePath || "(root)"} ${first.message ?? "is invalid"}` : "invalid";
};

const SPEC_NAMES = operationsSchema["x-operations"] as unknown as Record<Operation, readonly [string, string, string]>;
