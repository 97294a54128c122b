import { ApiError } from "./api.ts";
import { Cell } from "./cell.svelte.ts";

export interface Toast {
  readonly id: number;
  readonly tone: "ok" | "bad" | "info";
  readonly text: string;
}

export const toasts = new Cell<readonly Toast[]>([]);

let last = 0;

export const dismiss = (id: number): void => {
  toasts.current = toasts.current.filter((toast) => toast.id !== id);
};

/** Says something in passing. Errors stay until they are dismissed. */
export const toast = (tone: Toast["tone"], text: string): void => {
  last += 1;
  const id = last;
  toasts.current = [...toasts.current.slice(-3), { id, tone, text }];
  if (tone !== "bad") setTimeout(() => dismiss(id), 6000);
};

export const errorText = (error: unknown): string => {
  if (error instanceof ApiError) {
    const causes = error.causes.flatMap(({ field, message }) =>
      message ? [`${field ? `${field}: ` : ""}${message}`] : [],
    );
    return causes.length > 0 && !causes.every((cause) => error.message.includes(cause))
      ? `${error.message} ${causes.join("; ")}`
      : error.message;
  }
  return error instanceof Error ? error.message : String(error);
};

/** Shows why something failed. */
export const toastError = (error: unknown): void => toast("bad", errorText(error));
