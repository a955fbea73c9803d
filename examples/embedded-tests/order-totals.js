/**
 * The application under test: adds up what each customer has ordered, and writes every new total to another topic. It
 * knows Kafka by an address, and nothing of tests.
 */

import { Kafka, logLevel } from 'kafkajs';

/**
 * Starts it on the broker at `address`; resolves with how to stop it.
 *
 * @param {string} address
 * @returns {Promise<() => Promise<void>>}
 */
export async function startOrderTotals(address) {
  const kafka = new Kafka({ brokers: [address], logLevel: logLevel.ERROR });
  const producer = kafka.producer();
  const consumer = kafka.consumer({ groupId: 'order-totals' });
  /** @type {Map<string, number>} */
  const totals = new Map();
  await Promise.all([producer.connect(), consumer.connect()]);
  await consumer.subscribe({ topic: 'orders', fromBeginning: true });
  await consumer.run({
    eachMessage: async ({ message }) => {
      const customer = String(message.key);
      const { amount } = JSON.parse(String(message.value));
      const total = (totals.get(customer) ?? 0) + amount;
      totals.set(customer, total);
      await producer.send({ topic: 'totals', messages: [{ key: customer, value: JSON.stringify({ total }) }] });
    },
  });
  return async () => {
    await consumer.disconnect();
    await producer.disconnect();
  };
}
