/** Lines of what either broker's tools say that may stand alone: the command, the line, and why. For compare-kafka-tools.mjs. */

export const expected = [
  [/ConfigCommand/, /millrace\./, 'settings of ours'],
  [
    /ConfigCommand .*brokers.*--all/,
    /(listener|advertised|quorum\.voters|log\.dir|process\.roles|node\.id|broker\.id)/,
    'given at the start',
  ],
  [/ConfigCommand/, /log\.(remote|local)\.|^(local\.retention|remote\.copy)\./, 'no tiered storage'],
  [
    /ConfigCommand .*brokers.*--all/,
    /throttled\.rate|log\.dirs\.io/,
    'Kafka tells throttles between replicas only where they are set',
  ],
  [/ConfigCommand .*brokers/, /no\.such|ended with|Completed/, 'unknown settings are refused here; Kafka keeps them'],
  [/log\.cleaner\.threads=0/, /by zero|at least 1/, 'Kafka divides by it'],
  [/BrokerApiVersions/, /GetTelemetrySubscriptions|PushTelemetry/, 'telemetry is always taken here'],
  [/MetadataQuorum/, /Epoch|Offset|HighWatermark|<node>|Lag|Voters|^1 /, 'the log is another'],
  [/--list --state nothing/, /Valid states are/, 'Kafka names them in the order of a hash table'],
  [/ConsumerPerformance/, /^\d{4}-/, 'times and rates'],
  [/EndToEndLatency/, /^\d+ +\d|^Percentiles/, 'times'],
  [
    /ShareGroupCommand --describe --group sharers( --offsets --verbose)?$/,
    /^sharers {2}shared {2}0 /,
    'Kafka keeps the start offset as it was before the last acknowledgement; what lags is the same',
  ],
  [
    /ShareGroupCommand --describe --group sharers --(state|members) --verbose/,
    /^sharers /,
    'Kafka begins another epoch of the group once it has prepared its partitions',
  ],
  [/FeatureCommand describe/, /Epoch/, 'counted from another start'],
];
