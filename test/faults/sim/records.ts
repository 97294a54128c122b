import type { EventRecorder, Journal } from "../../../src/engine/ports.ts";

/** Jobs and events as text, in the form in which they would be kept. */
export class Records {
  readonly texts: string[] = [];
  readonly journal: Journal = {
    put: (record) => void this.texts.push(JSON.stringify(record)),
    log: (_, line) => void this.texts.push(line.text),
  };
  readonly events: EventRecorder = { record: (_, __, note) => void this.texts.push(note.message) };
}
