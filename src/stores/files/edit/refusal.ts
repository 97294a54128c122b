import type { Place } from "../place.ts";
import { placeText } from "../place.ts";

/**
 * readOnly: the file may not be written. changed: somebody else is at it. broken: it has to be mended first. byHand: it is
 * written in a way that only a person can change well. unfit: the store does not take up what was written.
 */
type RefusalReason = "readOnly" | "changed" | "broken" | "byHand" | "unfit";

/** Why a file is not changed; the message is for people and names the place. */
export class EditRefusal extends Error {
  override readonly name = "EditRefusal";
  readonly reason: RefusalReason;

  constructor(reason: RefusalReason, place: Pick<Place, "file"> & Partial<Place>, why: string) {
    const { file, line, column } = place;
    super(`${line === undefined ? file : placeText({ file, line, column: column ?? 1 })}: ${why}`);
    this.reason = reason;
  }
}
