/** What one record alone may be blamed for, which is looked at before it shares a batch with others. Any thread; pure. */

import { ErrorCode } from '../base/error-code.ts';
import type { TopicImage } from '../broker/metadata-image.ts';
import { isInternalTopic } from '../broker/topic-name.ts';
import type { PublishLane } from './publish-lane.ts';
import type { Problem } from './topic-creation.ts';

/** `boundBytes`: what it takes at most in a batch. */
export function problemOfRecord(
  lane: PublishLane,
  key: Uint8Array | null,
  timestampMs: number,
  boundBytes: number,
  nowMs: number,
): Problem | null {
  const { config } = lane.log;
  if (boundBytes > lane.maxRecordBytes) {
    const message = `The record takes up to ${boundBytes} bytes, and ${lane.maxRecordBytes} are allowed (max.message.bytes).`;
    return { errorCode: ErrorCode.MESSAGE_TOO_LARGE, message };
  }
  if (!Number.isSafeInteger(timestampMs)) {
    const message = `The timestamp ${timestampMs} is no whole number of milliseconds.`;
    return { errorCode: ErrorCode.INVALID_TIMESTAMP, message };
  }
  if (config.compactPolicy && key === null) {
    return { errorCode: ErrorCode.INVALID_RECORD, message: 'The record has no key, which a compacted topic needs.' };
  }
  if (config.timestampType !== 'CreateTime') return null;
  const aheadMs = timestampMs - nowMs;
  if (aheadMs > config.timestampAfterMaxMs) {
    const message = `The timestamp ${timestampMs} lies more than ${config.timestampAfterMaxMs} ms ahead (message.timestamp.after.max.ms).`;
    return { errorCode: ErrorCode.INVALID_TIMESTAMP, message };
  }
  if (-aheadMs > config.timestampBeforeMaxMs) {
    const message = `The timestamp ${timestampMs} lies more than ${config.timestampBeforeMaxMs} ms back (message.timestamp.before.max.ms).`;
    return { errorCode: ErrorCode.INVALID_TIMESTAMP, message };
  }
  return null;
}

/** Of a partition that nothing can be published to. */
export function problemOfPartition(topic: TopicImage, partition: number): Problem {
  if (isInternalTopic(topic.name)) {
    const message = `Cannot append to internal topic ${topic.name}.`;
    return { errorCode: ErrorCode.INVALID_TOPIC_EXCEPTION, message };
  }
  const message = `The topic ${topic.name} has ${topic.partitionCount} partitions, and none with the number ${partition}.`;
  return { errorCode: ErrorCode.UNKNOWN_TOPIC_OR_PARTITION, message };
}

export const overfull: Problem = {
  errorCode: ErrorCode.THROTTLING_QUOTA_EXCEEDED,
  message: 'Too many records wait for an acknowledgement; send no more until some have come.',
};
