/** The settings of both brokers while the oracle asks them, and of the Millrace that recorded answers are held against. */

/** What one node needs, and what makes tests quick; Kafka has the first five from bench/peers. */
const oneNode = {
  'offsets.topic.replication.factor': '1',
  'transaction.state.log.replication.factor': '1',
  'transaction.state.log.min.isr': '1',
  'share.coordinator.state.topic.replication.factor': '1',
  'share.coordinator.state.topic.min.isr': '1',
};

export const quick = {
  'group.initial.rebalance.delay.ms': '0',
  // Records of the past are not deleted while they are asked for.
  'log.retention.check.interval.ms': '3600000',
};

export const millraceSettings = { 'node.id': '1', ...oneNode, ...quick };
