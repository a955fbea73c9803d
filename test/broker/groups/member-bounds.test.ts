import { expect, test } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { writeWithin } from '../../../src/broker/groups/member-bounds.ts';

test('what is on its way takes of the room until it is there or has failed', async () => {
  const bounds = { memory: { sizeBytes: 0 }, maxMembersBytes: 100 };
  let end: (errorCode: ErrorCode) => void = () => {};
  const writing = writeWithin(bounds, 60, () => new Promise((resolve) => (end = resolve)));
  const never = (): Promise<ErrorCode> => expect.unreachable('there is no room for it');
  expect(await writeWithin(bounds, 60, never)).toBe(ErrorCode.GROUP_MAX_SIZE_REACHED);
  expect(await writeWithin(bounds, 40, async () => ErrorCode.NONE)).toBe(ErrorCode.NONE);
  end(ErrorCode.KAFKA_STORAGE_ERROR);
  expect(await writing).toBe(ErrorCode.KAFKA_STORAGE_ERROR);
  const again = writeWithin(bounds, 60, async () => {
    // Who takes nothing more is let in however much there is.
    expect(await writeWithin({ ...bounds, maxMembersBytes: 0 }, -1, async () => ErrorCode.NONE)).toBe(ErrorCode.NONE);
    return ErrorCode.NONE;
  });
  expect(await again).toBe(ErrorCode.NONE);
  expect(bounds.memory.sizeBytes).toBe(0);
});
