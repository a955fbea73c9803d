/** What is known of other people's suites beside their outcomes. */

/** Tests whose outcome differs between Apache Kafka and Millrace for a reason: suite, test, why. */

const expected = [
  [
    /^kafkajs/,
    /brokerPool\.spec|creates a new topic if the topic does not exist|describeGroups\.spec/,
    'Kafka does not know a topic for a moment after it has created it',
  ],
  [
    /^kafkajs/,
    /^broker\/__tests__\/(heartbeat|offsetCommit|offsetFetch|syncGroup)/,
    'its member has a rebalance timeout of 0: on either broker it may be out before it has synced',
  ],
  [/^kafkajs/, /emits the request timeout event/, 'wants a request to take longer than a millisecond'],
  [
    /^librdkafka/,
    /^0118_commit_rebalance$/,
    'wants the commit of a consumer that closes to meet the rebalance that another one begins, which is a matter of moments',
  ],
  [/^aiokafka/, /test_exclude_internal_topics/, 'there is no topic __consumer_offsets to subscribe to'],
];

/** Why the outcome of a test may differ; undefined where it may not. */
export function reasonForTest(suite, test) {
  return expected.find(([suites, tests]) => suites.test(suite) && tests.test(test))?.[2];
}

/** Suites that are not run, and why. */
export const absentSuites = [
  ['Apache Kafka (Java)', 'its integration tests start brokers of their own within the test, and take no address'],
  [
    '@platformatic/kafka',
    'its package has no tests, and they want three brokers with SASL in Docker; `test/clients` uses it',
  ],
  ['confluent-kafka-javascript', 'its native part is downloaded by its install script, not from a package registry'],
];
