/**
 * IncrementalAlterConfigs (KIP-339): sets, deletes, appends to and subtracts from single settings. I/O thread.
 * Each resource stands for itself, and is changed whole or not at all. What resources take changes stands in
 * config-alteration.ts.
 */

import {
  defaultIncrementalAlterConfigsResponse,
  type IncrementalAlterConfigsRequest,
  type IncrementalAlterConfigsResponse,
} from '../../protocol/generated/index.ts';
import { alterEach } from '../config-alteration.ts';
import type { ApiHandler } from '../request-context.ts';

export const incrementalAlterConfigsHandler: ApiHandler<
  IncrementalAlterConfigsRequest,
  IncrementalAlterConfigsResponse
> = {
  apiKey: 44,
  async handle({ resources, validateOnly }, context, broker) {
    const alterations = resources.map(({ resourceType, resourceName, configs }) => ({
      resourceType,
      resourceName,
      changes: configs.map(({ name, configOperation, value }) => ({ name, operation: configOperation, value })),
    }));
    const responses = await alterEach(alterations, { replace: false, validateOnly }, context, broker);
    return { ...defaultIncrementalAlterConfigsResponse(), responses };
  },
};
