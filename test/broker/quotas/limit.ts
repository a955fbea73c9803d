/** Sets a client quota as an administrator does. */

import { expect } from 'vitest';
import { ErrorCode } from '../../../src/base/error-code.ts';
import { alterClientQuotasApi } from '../../../src/protocol/generated/index.ts';
import type { BrokerHarness } from '../broker-harness.ts';

/** `parts`: whom it is for, such as `{'client-id': 'test'}`; a `value` of null takes it away. */
export async function limit(
  harness: BrokerHarness,
  parts: Readonly<Record<string, string | null>>,
  key: string,
  value: number | null,
): Promise<void> {
  const entity = Object.entries(parts).map(([entityType, entityName]) => ({ entityType, entityName }));
  const ops = [{ key, value: value ?? 0, remove: value === null }];
  const { entries } = await harness.request(alterClientQuotasApi, 1, { entries: [{ entity, ops }] });
  expect(entries[0]?.errorCode).toBe(ErrorCode.NONE);
}
