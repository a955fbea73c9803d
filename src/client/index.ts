/**
 * `millrace/client`: Kafka's protocol over WebSocket for browsers and Node. Any thread. What an application does not name is
 * not in its bundle.
 */

export { Client, type ClientOptions, type NodeAddress } from './client.ts';
export { Producer, type ProducerOptions, type ProducerRecord } from './producer.ts';
export { TransactionalProducer, type TransactionalProducerOptions } from './transactional-producer.ts';
export { Consumer } from './consumer.ts';
export type { AssignedPartition, ConsumerOptions, ConsumerRecord } from './consumer-options.ts';
export type { RecordMetadata } from './producer-batch.ts';
export type { RecordHeader } from '../records/record-reader.ts';
export type { CommittedOffset, Isolation, Place, TopicPartition, TopicPartitionOffset } from './offsets.ts';
export { bytes, json, text, type Serializer } from '../records/serializers.ts';
export { type Assignor, cooperativeSticky, type GroupSubscription, range } from './assignors.ts';
export type { CompressionCodec } from './compression.ts';
export { gzip } from './gzip.ts';
export { lz4 } from './lz4.ts';
export { snappy } from './snappy.ts';
export { zstd } from './zstd.ts';
export { KafkaError } from './kafka-error.ts';
export { ErrorCode } from '../base/error-code.ts';
export type { OpenTransport } from './connection.ts';
export type { Transport, TransportListener, WebSocketConstructor, WebSocketLike } from './transport.ts';
export type { Backoff } from './waiting.ts';
export {
  alterConfigs,
  type ConfigEntry,
  type ConfigResource,
  createPartitions,
  createTopics,
  deleteGroups,
  deleteTopics,
  describeConfigs,
  describeGroup,
  describeTopics,
  type GroupDescription,
  type GroupListing,
  groupOffsets,
  listGroups,
  listTopics,
  type NewTopic,
  setGroupOffsets,
  type TopicDescription,
  topicOffsets,
} from './admin.ts';
