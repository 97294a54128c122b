/** A reporter of vitest that notes why a test was skipped in its meta, where the JSON report, made after it, has it from. */
export default class SkipReasons {
  onTestCaseResult(test) {
    const { state, note } = test.result();
    if (state === "skipped" && note !== undefined) test.meta().skipReason = note;
  }
}
