/** Lines of what either broker's tools say that may stand alone: the command, the line, and why. For compare-kafka-tools.mjs. */

export const expected = [
  [/ConfigCommand/, /millrace\./, 'settings of ours'],
  [
    /ConfigCommand .*brokers.*--all/,
    /(listener|advertised|quorum\.voters|log\.dir|process\.roles|node\.id|broker\.id)/,
    'given at the start',
  ],
  [/ConfigCommand/, /min\.insync\.replicas/, 'Kafka sets min.insync.replicas for the cluster (KIP-966)'],
  [/ConfigCommand/, /log\.(remote|local)\./, 'no tiered storage'],
  [/BrokerApiVersions/, /GetTelemetrySubscriptions|PushTelemetry/, 'telemetry is always taken here'],
  [/MetadataQuorum/, /Epoch|Offset|<node>|Lag|Voters|^1 /, 'the log is another'],
  [/FeatureCommand describe/, /Epoch/, 'counted from another start'],
];
