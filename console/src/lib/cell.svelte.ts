/** One value that pages follow. Replaced as a whole: what is in it is never watched. */
export class Cell<T> {
  current: T = $state.raw() as T;
  constructor(initial: T) {
    this.current = initial;
  }
}
