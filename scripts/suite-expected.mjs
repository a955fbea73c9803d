/** Tests of other people's suites whose outcome differs between Apache Kafka and Millrace for a reason: suite, test, why. */

const expected = [];

/** Why the outcome of a test may differ; undefined where it may not. */
export function reasonForTest(suite, test) {
  return expected.find(([suites, tests]) => suites.test(suite) && tests.test(test))?.[2];
}
